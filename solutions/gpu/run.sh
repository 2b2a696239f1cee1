#!/bin/sh
# Runs the image whose name is the first argument, with every GPU of this machine.
exec docker run --rm --gpus all "$1"
