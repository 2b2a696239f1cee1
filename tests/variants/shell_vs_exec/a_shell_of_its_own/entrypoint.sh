#!/bin/sh
date > /tmp/started
exec program -c 'trap "kill \$!; exit 0" TERM; "$@" & wait' x "$@"
