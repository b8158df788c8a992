"""The program: `pharmaetl`, and `python -m pharmaetl`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn

_OBJECTS_BEFORE_A_LOOK = 100_000
"""A command makes few cycles, and imports many objects: looking through them at the usual pace takes a tenth of a short
command's time."""


def program() -> NoReturn:
    """Do what the command line says, and end with its exit code."""
    gc.set_threshold(_OBJECTS_BEFORE_A_LOOK, 50, 100)
    from pharmaetl.cli.app import main

    code = main()
    # CPython notes a KeyboardInterrupt that passes through the execution of a text (dataclasses are made that way, so
    # an import may be where Ctrl-C strikes), and at the end of `-m` kills itself with SIGINT although it was caught;
    # the next execution of a text makes it forget
    exec("")  # noqa: S102  (a constant, and an empty one)
    gc.freeze()  # … and at the end nothing is worth a last look
    sys.exit(code)


if __name__ == "__main__":
    program()
