"""What `dataset new` refuses: names, folders that are there already, files that no run could read, keys in URLs."""

from __future__ import annotations

from pathlib import Path

import pytest
from onboarded import a_file, made

from pharmaetl import catalog
from pharmaetl.errors import SourceFormatError, UnavailableError, UsageError


@pytest.mark.parametrize(
    "target", ["demo", "FDA/demo", "fda/Demo", "fda/", "/demo", "fda/a/b", "fda/../x", "fda/é", ""]
)
def test_names_are_small_letters_digits_and_underscores(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError) as raised:
        made(tmp_path, a_file(tmp_path / "demo.txt"), target)

    assert "no ORG/NAME" in raised.value.reason
    assert not (tmp_path / "datasets").exists()


def test_a_better_name_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        made(tmp_path, "nowhere", "FDA/Orange Book")
    assert raised.value.hint == "such as fda/orange_book"


def test_an_existing_dataset_is_overwritten_only_when_asked(tmp_path: Path) -> None:
    source = a_file(tmp_path / "demo.txt")
    new = made(tmp_path, source)
    (new.folder / "README.md").write_text("mine")

    with pytest.raises(UsageError) as raised:
        made(tmp_path, source)
    assert raised.value.reason == f"{new.folder} is there already"
    assert (new.folder / "README.md").read_text() == "mine"

    made(tmp_path, source, force=True)
    assert (new.folder / "README.md").read_text() != "mine"


def test_a_name_that_another_organisation_has_is_refused_even_by_force(tmp_path: Path) -> None:
    source = a_file(tmp_path / "demo.txt")
    made(tmp_path, source)

    with pytest.raises(UsageError) as raised:
        made(tmp_path, source, "nlm/demo", force=True)
    assert "has that name already" in raised.value.reason


def test_it_is_said_when_a_dataset_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    shipped = next(iter(catalog.Catalog(catalog.shipped()))).name
    new = made(tmp_path, a_file(tmp_path / "demo.txt"), f"acme/{shipped}")
    assert f"a dataset called {shipped} comes with pharmaetl: here this one takes its place" in new.checks


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"This is prose, with\nno fields at all\n", "no delimited text"),
        (b"a,b,c\n", "no delimited text"),
        (b"a,A,b\n1,2,3\n2,3,4\n", "demo.txt:1: header 'a' is there 2 times"),
        (b"a,,b\n1,2,3\n2,3,4\n3,4,5\n", "demo.txt:1: header cell 2 of 3 is empty"),
        (b"A title\na,b,c\n1,2,3\n2,3,4\n", "demo.txt:1: the first line has 1 values, the records have 3"),
        (b"<!doctype html><title>Sorry</title>", "an HTML or XML page"),
        (b"", "empty file"),
    ],
)
def test_a_file_that_no_run_could_read_is_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes, said: str
) -> None:
    source = tmp_path / "demo.txt"
    source.write_bytes(content)

    with pytest.raises(SourceFormatError) as raised:
        made(tmp_path, source)

    assert said in raised.value.reason
    assert not (tmp_path / "datasets").exists()


def test_a_file_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        made(tmp_path, tmp_path / "nowhere.txt")


def test_a_key_in_the_url_is_refused_before_anything_is_asked_of_the_site(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        made(tmp_path, "https://example.org/x.zip?apiKey=12345")
    assert "12345" not in raised.value.reason + raised.value.hint
