#!/bin/sh
if [ "${NAME+set}" ] && [ -z "$NAME" ]; then
    echo "greet: NAME is set, but empty" >&2
    exit 64
fi
printf "Hello, %s!\\n" "${NAME-world}"
exit 1
