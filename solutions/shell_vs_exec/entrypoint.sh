#!/bin/sh
# Sets something up, then becomes the command that it was given.
date > /tmp/started
exec "$@"
