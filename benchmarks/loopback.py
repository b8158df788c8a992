"""A server of one file on a free loopback port, as a process of its own: python -m benchmarks.loopback FILE."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def handler_of(file: Path) -> type[BaseHTTPRequestHandler]:
    """A handler that sends the file, copied by the kernel, to whoever asks for anything."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            self.wfile.flush()
            with file.open("rb") as opened:
                self.connection.sendfile(opened)

        def log_message(self, *_: object) -> None:
            """No word on each request."""

    return Handler


def main(path: str) -> None:
    """Print the port, then serve until standard input ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(Path(path))) as server:
        import threading

        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
