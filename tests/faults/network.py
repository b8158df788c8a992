"""What the catalogue of network faults is run against: a lake with a published version, and the command line.

Whatever a site does: the exit code, one line of reason and a hint, so many requests and no more, exact bytes where it
succeeds, the published version untouched, and a partial that is the beginning of the file or none.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from fault_server import FaultServer, File
from unit.publishing import RUN_A, publish

from pharmaetl.cli.app import answer
from pharmaetl.download.transfer import Limits
from pharmaetl.lake.local_storage import LocalStorage
from pharmaetl.local import steps

DATASETS = Path(__file__).parents[2] / "datasets"
BODY = random.Random(24).randbytes(300_000)
FILE = File(BODY)
HALF = 150_000


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and what it printed as JSON."""

    code: int
    shown: Any
    error: dict[str, Any]


class Downloads:
    """A lake in which a version is published, and runs that end when their source is fetched."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.lake = folder / "lake"
        self.datasets = DATASETS
        self._patch = patch
        self._capture = capture
        publish(LocalStorage(self.lake), RUN_A)
        self._published = self._files()
        self.within()

    def within(self, **limits: Any) -> None:
        """Bound the downloads from now on, and let them pause but a moment."""
        bounds = {"read_seconds": 3, "connect_seconds": 3, "total_seconds": 30, "backoff_seconds": 0.001, **limits}
        self._patch.setattr(steps, "Limits", partial(Limits, **bounds))

    def run(self, url: str, *words: str) -> Ended:
        """Run as far as the fetch."""
        return self.command("run", "nsde", "--source", url, "--until", "fetch", *words)

    def command(self, *words: str) -> Ended:
        """Any command, in this lake."""
        self._capture.readouterr()
        places = ["--lake", str(self.lake), "--datasets", str(self.datasets), "--json"]
        code = answer([*words, *places])
        said = self._capture.readouterr()
        shown = json.loads(said.out) if said.out else None
        return Ended(code, shown, json.loads(said.err)["error"] if said.err else {})

    def brings(self, url: str, *words: str) -> None:
        """The file arrives, byte for byte."""
        ended = self.run(url, *words)
        assert (ended.code, ended.error) == (0, {})
        assert ended.shown["source"]["sha256"] == hashlib.sha256(BODY).hexdigest()
        assert self.partials() == []
        self.assert_published_untouched()

    def fails(self, url: str, *words: str, code: int = 5, says: str, hint: str = "") -> Ended:
        """The run ends with an exit code, a line of reason and a hint; nothing else changes."""
        ended = self.run(url, *words)
        assert ended.code == code, ended
        assert re.search(says, ended.error["reason"]), ended.error
        assert "\n" not in ended.error["reason"] + ended.error["hint"]
        assert re.search(hint, ended.error["hint"])
        assert len(ended.error["hint"]) > 10
        self.assert_published_untouched()
        for path in self.partials():
            # Only what a note vouches for is kept, and it is how the file begins.
            assert json.loads(path.with_suffix(".json").read_bytes())["etag"]
            assert BODY.startswith(path.read_bytes())
        return ended

    def partials(self) -> list[Path]:
        """What has arrived so far, for the next run."""
        return sorted((self.lake / ".work").rglob("*.partial"))

    def assert_published_untouched(self) -> None:
        """The log says what it said, and the files that it lists are there."""
        assert self._files() == self._published

    def _files(self) -> dict[str, bytes]:
        found = (path for part in ("manifests", "silver") for path in (self.lake / part).rglob("*") if path.is_file())
        return {str(path.relative_to(self.lake)): path.read_bytes() for path in sorted(found)}


class Names:
    """Stands in for the system's resolver: `answers` of a name are given one after the other, the last one again."""

    def __init__(self, patch: pytest.MonkeyPatch, **answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self._real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, *rest: Any, **more: Any) -> Any:
        self.asked.append(host)
        left = self._answers.get(host, [host])
        return self._real(left.pop(0) if len(left) > 1 else left[0], *rest, **more)


class CutInHandshake:
    """A server that takes connections and ends each in the middle of the TLS handshake."""

    def __init__(self, end: Callable[[socket.socket], None]) -> None:
        self.connections = 0
        self._end = end
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._socket.getsockname()[1]}/f"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self.connections += 1
                with client, suppress(OSError):
                    client.recv(4096)
                    self._end(client)


def close(client: socket.socket) -> None:
    """End the connection in good order."""


def reset(client: socket.socket) -> None:
    """End the connection with a RST."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half_a_record(client: socket.socket) -> None:
    """Begin a ServerHello, and end."""
    client.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03")


def alert(client: socket.socket) -> None:
    """A fatal handshake_failure."""
    client.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def whole(site: FaultServer, head: str, body: bytes = BODY) -> bytes:
    """An answer with this head instead of a good server's."""
    return f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body
