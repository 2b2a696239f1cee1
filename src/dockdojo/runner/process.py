"""The process that grades: `python -I -m dockdojo.runner.process`, with one line of JSON on stdin, an Order.

The process that parses what a submission wrote is forked from it first, while it is still small.
"""

from __future__ import annotations

import os
import sys

from dockdojo import parsing


def main() -> int:
    """Carries out the order on stdin; 0 unless this process itself broke."""
    parsing.start()
    import msgspec

    from dockdojo.runner.order import Order
    from dockdojo.runner.runner import carry_out

    request = sys.stdin.buffer.readline()
    if request:  # else whoever started it has nothing to do for it after all
        carry_out(msgspec.json.decode(request, type=Order))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(
        code
    )  # all is said and put away; taking the interpreter apart would only take time
