"""A proxy before an S3 server that loses answers, refuses for the moment, and cuts bodies, by a seeded plan."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

ERROR = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{}</Code><Message>injected</Message></Error>"
SHARES = {"lost answer": 0.06, "503": 0.06, "409": 0.06, "cut body": 0.02}


class FaultyS3(BaseHTTPRequestHandler):
    """Passes requests on, most of them unharmed."""

    protocol_version = "HTTP/1.1"
    target: ClassVar[str]
    dice: ClassVar[random.Random]
    turn: ClassVar[threading.Lock] = threading.Lock()
    faults: ClassVar[Counter[str]]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self._fault()
        if fault in {"503", "409"}:
            self._refuse(int(fault), "SlowDown" if fault == "503" else "ConditionalRequestConflict")
            return
        connection = http.client.HTTPConnection(self.target, timeout=30)
        connection.request(self.command, self.path, body=body, headers=dict(self.headers.items()))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if fault == "lost answer":
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if fault == "cut body":
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.wfile.write(data)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815  (names that http.server looks for)

    def _fault(self) -> str:
        """What happens to this request: conflicts to conditional writes only, cuts to reads only."""
        with self.turn:
            kind = self.dice.choices([*SHARES, ""], [*SHARES.values(), 1 - sum(SHARES.values())])[0]
            if kind == "409" and self.headers.get("If-None-Match") != "*":
                kind = ""
            if kind == "cut body" and (self.command != "GET" or "list-type" in self.path):
                kind = ""
            self.faults[kind or "none"] += 1
            return kind

    def _refuse(self, status: int, code: str) -> None:
        data = ERROR.format(code).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_expect_100(self) -> bool:
        """The body is taken in any case."""
        self.send_response_only(100)
        self.end_headers()
        return True

    def log_message(self, *_: object) -> None:
        """Silent: tests run hundreds of requests."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that has gone is no news here."""


@contextmanager
def faulty(endpoint: str, seed: int) -> Iterator[tuple[str, Counter[str]]]:
    """A proxy's endpoint, and the count of what it did."""
    faults: Counter[str] = Counter()
    parts = {"target": urlsplit(endpoint).netloc, "dice": random.Random(seed), "faults": faults}
    server = _Server(("127.0.0.1", 0), type("Faulty", (FaultyS3,), parts))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
