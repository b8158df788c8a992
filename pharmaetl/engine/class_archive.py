"""A class-data sharing archive: the classes that one run's JVM loaded, in a file that later JVMs map into memory.

The JVM of the first run with a given Java and Spark writes it as it ends, after the run is over; the next run that
starts one finds it finished and gives it its name. Whatever is in the way (an older Java, a cache folder that can't be
written, a JVM that was killed at it), runs go on without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path

from pharmaetl import cache
from pharmaetl.engine import java

OLDEST_JAVA = 17
"""Java has these archives since 13; tried with 17 and later."""
RETRY_SECONDS = 3600
UNUSED_SECONDS = 30 * 86_400
_PLAIN = re.compile(r"[\w./+@=-]+")
"""Paths that need no quoting among the JVM's options, where a colon separates two archives."""
_USE = "-XX:SharedArchiveFile="
_SILENT = ("-Xlog:disable",)
"""The JVM would say on standard output, which is the command's own, why it doesn't use an archive."""


def options(home: Path, jars: Path) -> tuple[str, ...]:
    """Options for a JVM to use the archive, or to write one where none was tried lately; () where it is to do neither.

    `home`: the Java's; `jars`: the folder of Spark's.
    """
    try:
        if java.version_of(home) < OLDEST_JAVA or not (home / "lib" / "server" / "classes.jsa").is_file():
            return ()
        folder = cache.folder()
        if not _PLAIN.fullmatch(str(folder)):
            return ()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _options(folder / f"classes-{_key(home, jars)}.jsa")
    except OSError:
        return ()


def drop(used: tuple[str, ...]) -> bool:
    """Remove the archive that these options name, where they do, since a JVM did not start with it."""
    archive = next((Path(each.partition("=")[2]) for each in used if each.startswith(_USE)), None)
    if archive is None:
        return False
    with contextlib.suppress(OSError):
        archive.unlink(missing_ok=True)
    return True


def _options(archive: Path) -> tuple[str, ...]:
    tried = archive.with_suffix(".tried")
    if not archive.exists():
        _adopt(archive, tried)
    if archive.exists():
        return (f"{_USE}{archive}", "-XX:+VerifySharedSpaces", *_SILENT) if _is_sound(archive, tried) else ()
    if tried.exists() and time.time() - tried.stat().st_mtime < RETRY_SECONDS:
        return ()  # by a run that is still at it, or by one that couldn't
    _remove_unused(archive.parent)
    tried.touch()
    return (f"-XX:ArchiveClassesAtExit={archive}.{os.getpid()}.new", *_SILENT)


def _adopt(archive: Path, note: Path) -> None:
    """Give a finished archive its name. The JVM writes an archive's header last: before that it begins with zeros."""
    for new in archive.parent.glob(f"{archive.name}.*.new"):
        with new.open("rb") as opened:
            finished = any(opened.read(4))
        if finished:
            note.write_text(str(new.stat().st_size), encoding="utf-8")
            new.replace(archive)


def _is_sound(archive: Path, note: Path) -> bool:
    """Is it ours, and as long as it was? The JVM checks all else, but is killed at the missing end of a cut one."""
    status = archive.stat()
    if status.st_uid != os.getuid():
        return False
    if note.exists() and note.read_text(encoding="utf-8") == str(status.st_size):
        return True
    archive.unlink()
    return False


def _key(home: Path, jars: Path) -> str:
    """Changes with the JVM and with any of Spark's jars: the JVM refuses an archive that was made with others."""
    files = [home / "lib" / "server" / "libjvm.so", *sorted(jars.glob("*.jar"))]
    seen = [(str(file), status.st_size, status.st_mtime_ns) for file in files for status in [file.stat()]]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def _remove_unused(folder: Path) -> None:
    """Archives that no JVM has read for a month: those of a Java or a Spark that is no longer there."""
    for old in folder.glob("classes-*"):
        status = old.stat()
        if time.time() - max(status.st_atime, status.st_mtime) > UNUSED_SECONDS:
            old.unlink()
