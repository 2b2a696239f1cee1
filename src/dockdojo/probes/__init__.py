"""Looking at what runs from beside it: HTTP, watched folders, recorded requests, testinfra."""
