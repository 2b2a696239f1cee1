"""`python -m dockdojo` is the same as `dockdojo`."""

import sys

from dockdojo.cli import main

if __name__ == "__main__":
    sys.exit(main())
