#!/bin/sh
echo "Hello, world!"
exit 1
