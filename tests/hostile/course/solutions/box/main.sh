#!/bin/sh
echo "$WORD"
[ -n "$STAY" ] || exit 0
trap 'exit 0' TERM
while :; do sleep 0.1; done
