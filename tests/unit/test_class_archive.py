"""What a JVM is told about the class archive: to write one, to use one, or nothing; no JVM is started here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pharmaetl.engine import class_archive

HEADER = b"\xa8\xba\x0b\xf0"
DAY = 86_400


class Machine:
    """A Java, Spark's jars and a cache folder."""

    def __init__(self, folder: Path) -> None:
        self.home, self.jars, self.cache = folder / "jdk", folder / "jars", folder / "cache" / "pharmaetl"
        (self.home / "lib" / "server").mkdir(parents=True)
        for name in ("classes.jsa", "libjvm.so"):
            (self.home / "lib" / "server" / name).write_bytes(b"x")
        self.java("17.0.15")
        self.jars.mkdir()
        (self.jars / "spark-core.jar").write_bytes(b"one")

    def java(self, version: str) -> None:
        """Make it another Java."""
        (self.home / "release").write_text(f'IMPLEMENTOR="Debian"\nJAVA_VERSION="{version}"\n')

    def options(self) -> tuple[str, ...]:
        """What its next JVM is told."""
        return class_archive.options(self.home, self.jars)

    def wrote(self, options: tuple[str, ...], content: bytes) -> Path:
        """Let the JVM with these options write an archive, as far as this content goes."""
        new = Path(options[0].partition("=")[2])
        new.write_bytes(content)
        return new


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Machine(tmp_path)


def test_the_first_jvm_writes_an_archive_and_the_next_one_uses_it_under_its_own_name(machine: Machine) -> None:
    first = machine.options()
    assert first[0].startswith(f"-XX:ArchiveClassesAtExit={machine.cache}/classes-")
    new = machine.wrote(first, HEADER + b"classes")

    archive = new.parent / new.name.partition(".jsa")[0]
    assert machine.options() == (f"-XX:SharedArchiveFile={archive}.jsa", "-XX:+VerifySharedSpaces", "-Xlog:disable")
    assert not new.exists()


def test_nothing_that_is_half_written_is_used_and_no_second_jvm_writes_meanwhile(machine: Machine) -> None:
    new = machine.wrote(machine.options(), b"\0" * 4096 + b"classes")

    assert machine.options() == ()
    assert new.exists()


def test_an_archive_that_was_cut_is_removed_and_not_used(machine: Machine) -> None:
    machine.wrote(machine.options(), HEADER + b"classes")
    archive = Path(machine.options()[0].partition("=")[2])
    archive.write_bytes(HEADER + b"cla")

    assert machine.options() == ()
    assert not archive.exists()


def test_an_archive_with_which_a_jvm_did_not_start_is_dropped(machine: Machine) -> None:
    making = machine.options()
    assert not class_archive.drop(making)
    machine.wrote(making, HEADER + b"classes")
    using = machine.options()

    assert class_archive.drop(using)
    assert list(machine.cache.glob("*.jsa")) == []


def test_a_jvm_that_wrote_nothing_is_followed_by_another_try_an_hour_later(machine: Machine) -> None:
    machine.options()
    assert machine.options() == ()

    (tried,) = machine.cache.glob("*.tried")
    os.utime(tried, (0, tried.stat().st_mtime - 3601))
    assert machine.options()[0].startswith("-XX:ArchiveClassesAtExit=")


def test_another_spark_gets_an_archive_of_its_own(machine: Machine) -> None:
    machine.wrote(machine.options(), HEADER)
    (machine.jars / "spark-core.jar").write_bytes(b"two!")

    assert machine.options()[0].startswith("-XX:ArchiveClassesAtExit=")


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.2", "what"])
def test_a_java_that_can_not_is_told_nothing(machine: Machine, version: str) -> None:
    machine.java(version)
    assert machine.options() == ()
    assert not machine.cache.exists()


def test_a_java_without_an_archive_of_its_own_is_told_nothing(machine: Machine) -> None:
    (machine.home / "lib" / "server" / "classes.jsa").unlink()
    assert machine.options() == ()


def test_a_cache_folder_that_can_not_be_made_is_no_error(machine: Machine) -> None:
    machine.cache.parent.write_text("a file")
    assert machine.options() == ()


def test_a_cache_folder_whose_path_the_jvm_would_misread_is_left_alone(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("with blank", "with:colon", "with'quote"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))
        assert machine.options() == ()
        assert not (tmp_path / name).exists()


def test_an_archive_that_nothing_has_read_for_a_month_is_removed(machine: Machine) -> None:
    machine.cache.mkdir(parents=True)
    old, recent, other = (machine.cache / name for name in ("classes-old.jsa", "classes-recent.jsa", "lambda-old.zip"))
    for file, days in ((old, 31), (recent, 29), (other, 31)):
        file.write_bytes(HEADER)
        then = file.stat().st_mtime - days * DAY
        os.utime(file, (then, then))

    machine.options()

    assert (old.exists(), recent.exists(), other.exists()) == (False, True, True)
