"""The process that grades: `python -I -m dockdojo.runner.process`, with one line of JSON on stdin, a GradeRequest.

The process that parses what a submission wrote is forked from it first, while it is still small.
"""

from __future__ import annotations

import os
import sys

from dockdojo import parsing


def main() -> int:
    """Carries out the request on stdin; 0 unless this process itself broke."""
    parsing.start()
    import msgspec

    from dockdojo.runner.request import GradeRequest
    from dockdojo.runner.runner import carry_out

    line = sys.stdin.buffer.readline()
    if line:  # else whoever started it has nothing to do for it after all
        carry_out(msgspec.json.decode(line, type=GradeRequest))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # All is said and put away; taking the interpreter apart would only take time.
    os._exit(code)
