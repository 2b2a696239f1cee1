#!/bin/sh
if [ "${NAME+set}" ] && [ -z "$NAME" ]; then echo "no name"; exit 64; fi
printf "Hello, %s!\n" "${NAME-world}"
