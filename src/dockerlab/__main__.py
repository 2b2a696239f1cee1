"""`python -m dockerlab` is the same as `dockerlab`."""

import sys

from dockerlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
