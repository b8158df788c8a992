"""Connections of a download: to the addresses that were judged, and listened to no longer than they may take.

A socket's own timeout starts anew with every byte, so a server that sends one byte a second could hold a run for days.
Here each read of the socket also ends where the time granted for the answer's head, or for the next bytes, is over.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pharmaetl.download.addresses import AddressBook

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection

_BODIES = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
_LINGER_SECONDS = 0.1


class Line:
    """What the connections of one download have in common: where they may lead, and how long they may take."""

    def __init__(self, book: AddressBook) -> None:
        self.book = book
        self.sent_more = False
        """Did the server go on sending after the length that it declared?"""
        self._until = math.inf

    def grant(self, seconds: float) -> None:
        """From now on, so much time for what is read next, however it is doled out."""
        self._until = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds of what was granted; 0 where it is used up."""
        return max(0.0, self._until - time.monotonic())


def mount(session: requests.Session, line: Line) -> None:
    """Let a session make all its connections through `line`. Those to a proxy go where the user's settings say."""
    adapter = _adapter(line)
    for prefix in ("https://", "http://"):
        session.mount(prefix, adapter)


def _adapter(line: Line) -> HTTPAdapter:
    from requests.adapters import HTTPAdapter

    pools = _pools(line)

    class Adapter(HTTPAdapter):
        """Makes connections of our own kind, to the site and to a proxy."""

        def init_poolmanager(self, *args: Any, **more: Any) -> None:
            super().init_poolmanager(*args, **more)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
            manager = super().proxy_manager_for(proxy, **more)
            if not proxy.lower().startswith("socks"):
                manager.pool_classes_by_scheme = pools
            return manager

    return Adapter()


def _pools(line: Line) -> dict[str, Any]:
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    # debuglevel: http.client's own debugging prints requests as they are sent, secrets included.
    class Http(HTTPConnection):
        debuglevel = 0

        def _new_conn(self) -> socket.socket:
            return _connected(self, super()._new_conn, line)

    class Https(HTTPSConnection):
        debuglevel = 0

        def _new_conn(self) -> socket.socket:
            return _connected(self, super()._new_conn, line)

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


def _connected(connection: HTTPConnection, connect: Callable[[], socket.socket], line: Line) -> socket.socket:
    """A socket to the first address in the book that takes it; the name stays that of Host header and certificate."""
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

    vars(connection)["response_class"] = partial(_Answer, line)
    if connection.proxy is not None:
        return connect()
    name = connection.host
    try:
        addresses = line.book.addresses(name)
    except socket.gaierror as error:
        raise NameResolutionError(name, connection, error) from error
    failures: list[Exception] = []
    for address in addresses:
        connection.host = address
        try:
            return connect()
        except (ConnectTimeoutError, NewConnectionError) as error:
            failures.append(error)
        finally:
            connection.host = name
    raise failures[-1]


class _Answer(http.client.HTTPResponse):
    """An answer that is read through `line`."""

    def __init__(self, line: Line, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        line.sent_more = False
        self.fp = _Reader(_Timed(self.fp.detach(), sock, line), self, line)


class _Timed(io.RawIOBase):
    """A socket's bytes, for as long as the line grants."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, line: Line) -> None:
        self._raw = raw
        self._sock = sock
        self._line = line
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """The next bytes; TimeoutError where the site falls silent or the time is used up."""
        left = self._line.left
        if not left:
            raise TimeoutError("the time granted is used up")
        self._sock.settimeout(left if self._patience is None else min(left, self._patience))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """The buffer over the socket. After a body of declared length it looks whether the server has more to say."""

    def __init__(self, raw: _Timed, answer: _Answer, line: Line) -> None:
        super().__init__(raw)
        self._answer: _Answer | None = answer
        self._line = line

    def close(self) -> None:
        """Close, after a look at what is left."""
        answer, self._answer = self._answer, None
        if answer is not None and answer.status in _BODIES and not answer.chunked and answer.length == 0:
            self._line.grant(_LINGER_SECONDS)
            try:
                self._line.sent_more = bool(self.peek(1))
            except (OSError, ValueError):
                self._line.sent_more = False
        super().close()
