#!/bin/sh
docker run --rm --gpus 1 "$1"
