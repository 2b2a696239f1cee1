#!/bin/sh
# Greets whoever NAME names, and the world where NAME is not set.
if [ "${NAME+set}" ] && [ -z "$NAME" ]; then
    echo "greet: NAME is set, but empty" >&2
    exit 64
fi
printf 'Hello, %s!\n' "${NAME-World}"
