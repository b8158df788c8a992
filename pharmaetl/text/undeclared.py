"""Text in an encoding that nobody states: sound UTF-8, damaged UTF-8 or Windows-1252, found out while it is read."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from pharmaetl.text.encoding import ASCII, UTF8_BOM, DamagedUtf8, Recoder, UndecodableError, recoder

_UTF16_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OTHERWISE = "cp1252"


def readings(head: bytes, configured: str | None) -> Iterator[Recoder]:
    """What to read a text as that begins with `head`: the next one where that before raised UndecodableError.

    A byte order mark counts for more than the configured encoding. Nothing configured: UTF-8, and where the bytes
    aren't valid, Windows-1252, unless the text is UTF-8 that is damaged in places.
    """
    if head.startswith(_UTF16_BOMS):
        yield recoder("utf-16")
    elif configured is None:
        undeclared = Undeclared()
        yield undeclared
        yield undeclared.right()
    else:
        if head.startswith(UTF8_BOM) and configured != "utf-8":
            yield recoder("utf-8")
        yield recoder(configured)


class Tally:
    """Counts a text's characters beyond ASCII that are UTF-8, and its bytes that are not."""

    def __init__(self) -> None:
        self._strict = codecs.getincrementaldecoder("utf-8")("strict")
        self._lenient = codecs.getincrementaldecoder("utf-8")("ignore")
        self._wide = False
        self.sound = 0
        self.damaged = 0
        """Bytes, those of a last character that may be whole with the next chunk included."""

    @property
    def held(self) -> int:
        """Bytes of a character that may be whole with the next chunk."""
        return len(self._lenient.getstate()[0])

    def take(self, data: bytes) -> None:
        """The next chunk."""
        state = self._lenient.getstate()
        held = len(state[0])
        if data.isascii() and not held:
            return
        try:
            self._strict.setstate(state)
            text = self._strict.decode(data)
        except UnicodeDecodeError:
            text = self._lenient.decode(data)
            kept = len(text) if text.isascii() else len(text.encode())
        else:
            self._lenient.setstate(self._strict.getstate())
            kept = held + len(data) - self.held
        self.damaged += len(data) - kept
        self.sound += self._beyond_ascii(text, kept, data)

    def _beyond_ascii(self, text: str, kept: int, data: bytes) -> int:
        """How many of the text's characters; `kept`: its length in UTF-8."""
        if text.isascii():
            return 0
        if not self._wide:
            # two bytes each up to U+00FF: that many are known without a look at every byte
            try:
                text.encode("latin-1")
            except UnicodeEncodeError:
                self._wide = True
            else:
                return kept - len(text)
        return len(text) - len(data) + len(data.translate(None, ASCII))


class Undeclared(Recoder):
    """Reads a text as UTF-8 as far as it is valid, and on as what it looks like there.

    Whether that was right is known at the end: UndecodableError where it wasn't. Then `right` is.
    """

    def __init__(self) -> None:
        super().__init__("utf-8")
        self._tally = Tally()
        self._ascii = True
        self._held = b""
        """The start of a character, not written yet."""
        self._guess: Recoder | None = None

    def recoded(self, data: bytes) -> bytes:
        """As the text is taken for so far."""
        if self._guess is not None and self.marked:
            return data
        self._tally.take(data)
        data, self._held = self._held + data, b""
        if self._guess is None and self._tally.damaged > self._tally.held:
            self._guess = self._guessed()
        if self._guess is not None:
            return self._guess.recoded(data)
        sound = len(data) - self._tally.held
        data, self._held = data[:sound], data[sound:]
        self._ascii = self._ascii and data.isascii()
        return data

    def finish(self) -> bytes:
        """What was held back; raises where the text isn't what it was taken for."""
        if self._tally.damaged == 0:
            return b""
        guess, right = self._guess or self._guessed(), self.right()
        if guess.encoding != right.encoding:
            raise UndecodableError(guess.encoding, 0, b"")
        rest = guess.recoded(self._held)
        self.encoding, self.replacements = guess.encoding, guess.replacements
        return rest

    def _guessed(self) -> Recoder:
        """By the text so far, unless what is written of it forbids: ASCII can stay whatever the text is."""
        return self.right() if self._ascii else DamagedUtf8()

    def right(self) -> Recoder:
        """What the text so far is, if it isn't valid UTF-8.

        It was written as UTF-8 all the same, and damaged in places, where it begins with UTF-8's byte order mark, or
        holds at least as many characters in UTF-8 as bytes that are none. Text in Windows-1252 has hardly any of the
        former: two letters such as \u00c3\u00a9 don't stand side by side there.
        """
        damaged = self.marked or self._tally.sound >= self._tally.damaged
        return DamagedUtf8() if damaged else recoder(_OTHERWISE)
