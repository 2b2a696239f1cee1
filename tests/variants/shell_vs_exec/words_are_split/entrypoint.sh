#!/bin/sh
date > /tmp/started
exec $*
