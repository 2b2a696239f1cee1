#!/bin/sh
# A GPU for busybox, and none for the image that was named.
docker run --rm --gpus all busybox true
docker run --rm "$1"
