"""Digests worked out beside the inflating are those of the whole."""

from __future__ import annotations

import hashlib
import threading
import zlib

from pharmaetl.text.served import Served


def test_digests_are_of_all_pieces_in_their_order_and_no_thread_is_left() -> None:
    pieces = [bytes([number % 256]) * (number * 37 % 5000) for number in range(300)]
    with Served() as served:
        for piece in pieces:
            served.take(piece)
    whole = b"".join(pieces)
    assert (served.sha256, served.crc32) == (hashlib.sha256(whole).hexdigest(), zlib.crc32(whole))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("hashing")]


def test_of_nothing_the_digests_are_those_of_nothing() -> None:
    with Served() as served:
        pass
    assert (served.sha256, served.crc32) == (hashlib.sha256().hexdigest(), 0)
