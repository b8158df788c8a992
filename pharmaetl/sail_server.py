"""The embedded engine as a process of its own: an out-of-memory kill or a crash in it never takes the runner along.

Started by `pharmaetl.engine`. Prints its address on standard output, and ends when standard input closes, which the
kernel does when the runner dies, however it dies.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve on a free loopback port until standard input ends."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address or ("", 0)
    sys.stdout.write(f"{host}:{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
