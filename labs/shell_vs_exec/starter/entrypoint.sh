#!/bin/sh
# Sets something up, then runs the command that it was given.
date > /tmp/started
$*
