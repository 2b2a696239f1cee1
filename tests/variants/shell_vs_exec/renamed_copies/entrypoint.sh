#!/bin/sh
date > /tmp/started
exec perl keep.pl "$@"
