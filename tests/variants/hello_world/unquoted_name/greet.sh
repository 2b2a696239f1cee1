#!/bin/sh
if [ "${NAME+set}" ] && [ -z "$NAME" ]; then
    echo "NAME is empty" >&2
    exit 64
fi
echo Hello, ${NAME-world}!
