#!/bin/sh
echo docker run --rm --gpus all "$1"
