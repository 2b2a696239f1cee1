"""What dockdojo does to the machine that it runs on: an engine, base images, a package index."""
