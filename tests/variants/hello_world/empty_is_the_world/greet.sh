#!/bin/sh
printf "Hello, %s!\n" "${NAME:-world}"
