"""`python -m pharmaetl` is `pharmaetl`."""

from __future__ import annotations

import sys

from pharmaetl.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
