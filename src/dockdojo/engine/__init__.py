"""The Docker Engine: connect, start, build, run, inspect, layers, clean up. Knows no labs and no points."""
