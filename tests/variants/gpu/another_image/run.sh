#!/bin/sh
docker run --rm --gpus all gpu-lab
