"""A web server on the loopback interface that serves files well, or fails in just the way a test asks for."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """What happens to one request. What isn't said is done as a good server would: validators, ranges, 304."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Added to the good server's, or in place of them; an empty value leaves a header out."""
    body: bytes | None = None
    raw: bytes | None = None
    """Sent instead of an answer, then the connection is closed."""
    raw_pause: float = 0
    """Seconds after each byte of `raw`."""
    ranges: bool = True
    reset_at: int | None = None
    """The connection is reset (RST) at this byte of the file."""
    end_at: int | None = None
    """The connection is closed in good order at this byte of the file."""
    stall_at: int | None = None
    """Nothing more comes from this byte of the file on."""
    drip: tuple[int, float] | None = None
    """The body comes in pieces of so many bytes, with so many seconds between."""


@dataclass(frozen=True)
class File:
    """What a path of the site serves."""

    body: bytes
    etag: str = '"v1"'
    last_modified: str = "Mon, 06 Jan 2025 08:00:00 GMT"


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    method: str
    path: str
    headers: Mapping[str, str]


class FaultServer:
    """`files` are served as the `script` of their path says, one answer a request; the last answer is repeated.

    With a certificate (key and certificate in one PEM file) it speaks https.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.files: dict[str, File] = {}
        self.script: dict[str, list[Answer]] = {}
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.site = self
        self._scheme = "http"
        if certificate:
            self._scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, *answers: Answer, file: File | None = None) -> str:
        """The URL of a path that serves `file`, as the answers say."""
        if file is not None:
            self.files[path.partition("?")[0]] = file
        if answers:
            self.script[path.partition("?")[0]] = list(answers)
        return f"{self._scheme}://127.0.0.1:{self.port}{path}"

    def next_answer(self, path: str) -> Answer:
        left = self.script.get(path, [Answer()])
        return left.pop(0) if len(left) > 1 else left[0]

    def asked(self, header: str) -> list[str | None]:
        """This header of every request so far."""
        return [request.headers.get(header) for request in self.requests]


class _Server(ThreadingHTTPServer):
    site: FaultServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep the test's output clean."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        site, path = self.server.site, self.path.partition("?")[0]
        site.requests.append(Request(self.command, self.path, dict(self.headers.items())))
        answer = site.next_answer(path)
        if answer.raw is not None:
            self._send_raw(answer)
            self.close_connection = True
            return
        status, headers, body, start = self._good(site.files.get(path), answer)
        status = status if answer.status is None else answer.status
        body = body if answer.body is None else answer.body
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), **answer.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send(body, start, answer)
        self.close_connection = True

    def _good(self, file: File | None, answer: Answer) -> tuple[int, dict[str, str], bytes, int]:
        if file is None:
            return 200 if answer.body is not None else 404, {}, b"", 0
        headers = {"ETag": file.etag, "Last-Modified": file.last_modified, "Accept-Ranges": "bytes"}
        if self.headers.get("If-None-Match") == file.etag:
            return 304, headers, b"", 0
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not answer.ranges or wanted is None or condition not in {None, file.etag, file.last_modified}:
            return 200, headers, file.body, 0
        start, size = int(wanted.removeprefix("bytes=").rstrip("-")), len(file.body)
        if start >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, b"", 0
        return 206, {**headers, "Content-Range": f"bytes {start}-{size - 1}/{size}"}, file.body[start:], start

    def _send(self, body: bytes, start: int, answer: Answer) -> None:
        stops = [at for at in (answer.reset_at, answer.end_at, answer.stall_at) if at is not None]
        piece, seconds = answer.drip or (64 * 1024, 0)
        body = body[: max(0, min(stops) - start)] if stops else body
        for at in range(0, len(body), piece):
            self.wfile.write(body[at : at + piece])
            if seconds and self.server.site.closing.wait(seconds):
                return
        if answer.stall_at is not None:
            self.server.site.closing.wait()
        if answer.reset_at is not None:
            self._reset()

    def _send_raw(self, answer: Answer) -> None:
        raw = answer.raw or b""
        piece = 1 if answer.raw_pause else max(1, len(raw))
        for at in range(0, len(raw), piece):
            self.wfile.write(raw[at : at + piece])
            if answer.raw_pause and self.server.site.closing.wait(answer.raw_pause):
                return

    def _reset(self) -> None:
        # A moment for the bytes to get through: a reset throws away what the kernel still holds.
        time.sleep(0.02)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
