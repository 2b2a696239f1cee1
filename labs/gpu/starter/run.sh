#!/bin/sh
# Runs the image whose name is the first argument, with every GPU of this machine.
docker run --rm gpu-lab
