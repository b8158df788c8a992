"""`python -m pharmaetl` is `pharmaetl`."""

from __future__ import annotations

import sys

from pharmaetl.cli.app import main

if __name__ == "__main__":
    code = main()
    # CPython notes a KeyboardInterrupt that passes through the execution of a text (dataclasses are made that way, so
    # an import may be where Ctrl-C strikes), and at the end of `-m` kills itself with SIGINT although it was caught;
    # the next execution of a text makes it forget
    exec("")  # noqa: S102
    sys.exit(code)
