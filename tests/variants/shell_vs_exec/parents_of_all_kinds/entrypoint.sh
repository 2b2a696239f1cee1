#!/bin/sh
date > /tmp/started
exec bash -ec 'trap "kill %1; exit 0" TERM; "$@" & wait' greeter "$@"
