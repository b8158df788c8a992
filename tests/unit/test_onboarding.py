"""`dataset new` without an engine: what it reads of a file, what it writes, and what it refuses."""

from __future__ import annotations

import ast
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from onboarded import HEADER, ROWS, a_file, config_of, made, sample_of

from pharmaetl import catalog
from pharmaetl.errors import ConfigError
from pharmaetl.onboarding.new_dataset import create
from pharmaetl.onboarding.survey import survey
from pharmaetl.text import unpack


def test_a_config_a_readme_a_sample_and_a_test_are_written(tmp_path: Path) -> None:
    new = made(tmp_path, a_file(tmp_path / "demo.txt"))

    folder = tmp_path / "datasets" / "fda" / "demo"
    assert {str(path.relative_to(folder)) for path in new.files} == {
        "config/dataset.json",
        "README.md",
        "tests/demo.txt",
        "tests/test_demo.py",
    }
    assert all(path.is_file() for path in new.files)
    ast.parse((folder / "tests" / "test_demo.py").read_text())


def test_the_config_is_valid_and_has_a_line_for_each_column(tmp_path: Path) -> None:
    source = a_file(tmp_path / "demo.txt")
    new = made(tmp_path, source)

    text = (new.folder / "config" / "dataset.json").read_text()
    assert [line.strip().rstrip(",") for line in text.splitlines() if '{"name":' in line] == [
        '{"name": "item_code", "source": "Item Code"}',
        '{"name": "ndc11", "derived": {"function": "ndc11", "source": "item_code"}}',
        '{"name": "code_type", "derived": {"function": "code_type", "source": "item_code"}}',
        '{"name": "name", "source": "Name"}',
        '{"name": "approved", "source": "Approved", "type": "date", "format": "MMM d, yyyy"}',
        '{"name": "qty", "source": "Qty", "type": "integer"}',
        '{"name": "rx", "source": "RX", "type": "boolean"}',
    ]
    (table,) = config_of(new).tables
    assert (table.name, table.member, table.delimiter, table.quote, table.key) == (
        "demo", None, "~", "", ("item_code",),
    )  # fmt: skip
    assert config_of(new).source_url == str(source)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_sample_is_written_as_the_source_is(tmp_path: Path, encoding: str) -> None:
    lines = [HEADER, *ROWS, ROWS[0].replace("tube", "Crème")]
    new = made(tmp_path, a_file(tmp_path / "demo.txt", lines, encoding))

    content = sample_of(new).read_bytes()
    assert content.startswith((HEADER + "\r\n" + ROWS[0]).encode(encoding))
    kept = content.decode(encoding).split("\r\n")
    assert set(kept) <= {*lines, ""}
    assert lines[-1] in kept
    assert len(content) < 20_000


def test_a_gzip_files_sample_is_one_too_and_holds_the_same_name(tmp_path: Path) -> None:
    source = tmp_path / "demo.gz"
    with source.open("wb") as raw, gzip.GzipFile("inner.txt", "wb", fileobj=raw) as file:
        file.write("\n".join([HEADER, *ROWS, ""]).encode())
    new = made(tmp_path, source)

    (found,) = unpack.members(sample_of(new), "demo.gz")
    assert found.name == "inner.txt"
    assert gzip.decompress(sample_of(new).read_bytes()).decode().startswith(HEADER)


def test_a_zips_members_become_tables_and_dates_in_their_names_stars(tmp_path: Path) -> None:
    source = tmp_path / "release.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("data/Products_2025-10-06.txt", "\n".join([HEADER, *ROWS]))
        archive.writestr("data/packages[1].csv", "a,b\n1,x\n2,y\n")
        archive.writestr("Readme.txt", "a,b\n1,2\n")
        archive.writestr("notes.txt", "This is prose.\nIt has no fields\n")
    new = made(tmp_path, source)

    tables = {table.name: table.member for table in config_of(new).tables}
    assert tables == {"products": "data/Products_*.txt", "packages_1": "data/packages[[]1].csv"}
    assert [check for check in new.checks if "left out" in check] == [
        "Readme.txt was left out: no delimited text",
        "notes.txt was left out: no delimited text",
    ]
    found = unpack.members(sample_of(new), "release.zip")
    assert [member.name for member in found] == ["data/Products_2025-10-06.txt", "data/packages[1].csv"]
    wanted = [(name, member, False) for name, member in tables.items()]
    assert len(unpack.select(found, wanted, "release.zip")) == 2


def test_a_file_like_rrf_needs_no_more_than_its_format(tmp_path: Path) -> None:
    lines = [f"{number}|ENG|{'NY'[number % 2]}|{number:07d}||" for number in range(60)]
    new = made(tmp_path, a_file(tmp_path / "RXN.RRF", lines, end="\n"))

    text = (new.folder / "config" / "dataset.json").read_text()
    (table,) = json.loads(text)["tables"]
    assert {key: value for key, value in table.items() if key not in {"columns", "quality"}} == {
        "name": "demo",
        "format": "rrf",
        "key": ["column_1"],
    }
    assert [column["name"] for column in table["columns"]] == [f"column_{number}" for number in range(1, 6)]
    assert any("no header row" in check for check in new.checks)


def test_the_eleven_digits_that_a_source_gives_are_checked_against_its_codes(tmp_path: Path) -> None:
    lines = ["Code,NDC11,Name", *(f"0002-3235-{number:02d},000023235{number:02d},x{number}" for number in range(60))]
    new = made(tmp_path, a_file(tmp_path / "demo.csv", lines))

    (table,) = config_of(new).tables
    assert [(column.name, column.type, column.code_column) for column in table.columns] == [
        ("code", "string", None),
        ("code_type", "string", None),
        ("ndc11", "ndc11", "code"),
        ("name", "string", None),
    ]


def test_two_columns_with_codes_get_names_of_their_own(tmp_path: Path) -> None:
    lines = ["Old,New", *(f"0002-3235-{number:02d},0003-3235-{number:02d}" for number in range(60))]
    new = made(tmp_path, a_file(tmp_path / "demo.csv", lines))

    (table,) = config_of(new).tables
    assert [column.name for column in table.columns] == [
        "old", "ndc11", "code_type", "new", "new_ndc11", "new_code_type",
    ]  # fmt: skip


def test_the_readme_says_what_was_guessed_and_what_to_check(tmp_path: Path) -> None:
    lines = ["id|when|empty", *(f"{number}|01/{number % 12 + 1:02d}/2014|" for number in range(60))]
    new = made(tmp_path, a_file(tmp_path / "demo.txt", lines))

    text = (new.folder / "README.md").read_text()
    assert "- [ ] when: no value decides between MM/dd/yyyy and dd/MM/yyyy: check which one the publisher means" in text
    assert "| looked at | all 60 records | |" in text
    assert "| delimiter | `\\|` vertical bar | 3 fields in 100.0% of the first 61 lines |" in text
    assert "| empty | empty | string | 0% |  | no value was seen |" in text
    (table,) = config_of(new).tables
    assert [column.optional for column in table.columns] == [False, False, True]


def test_of_a_long_file_places_further_on_are_looked_at_too(tmp_path: Path) -> None:
    rows = [f"{number},{number:06d}" if number > 20_000 else f"{number},{number + 100_000}" for number in range(40_000)]
    text = a_file(tmp_path / "long.csv", ["id,code", *rows], end="\n")

    found = survey(text, "long.csv")

    assert found is not None
    assert (len(found.records), found.whole, found.malformed) == (10_000, False, 0)
    assert max(int(record.values[0]) for record in found.records) > 35_000
    assert [record.values[0] for record in found.records[:3]] == ["0", "1", "2"]


def test_records_that_a_run_would_refuse_are_counted_and_not_in_the_sample(tmp_path: Path) -> None:
    new = made(tmp_path, a_file(tmp_path / "demo.txt", [HEADER, *ROWS[:30], "too~short", *ROWS[30:]]))

    assert any(check.startswith("1 of the records looked at") for check in new.checks)
    assert b"too~short" not in sample_of(new).read_bytes()


def test_without_a_datasets_folder_one_is_made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_file(tmp_path / "demo.txt")
    (tmp_path / "project" / "src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "src")

    first = create("fda/demo", str(source), None)
    second = create("fda/other", "../../demo.txt", None)

    assert first.folder == tmp_path / "project" / "src" / "datasets" / "fda" / "demo"
    assert (first.made_folder, second.made_folder) == (True, False)
    assert config_of(second).source_url == str(Path.cwd() / "../../demo.txt")


def test_the_nearest_datasets_folder_upwards_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_file(tmp_path / "demo.txt")
    made(tmp_path, source)
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")

    assert create("fda/other", str(source), None).folder == tmp_path / "datasets" / "fda" / "other"


def test_nothing_is_ever_written_into_the_package(tmp_path: Path) -> None:
    source = a_file(tmp_path / "demo.txt")
    with pytest.raises(ConfigError):
        create("fda/demo", str(source), str(Path(catalog.__file__).parent / "_datasets"))


def test_the_sample_stays_small_whatever_the_rows_are(tmp_path: Path) -> None:
    lines = ["id,text", *(f"{number},{'x' * 3000}" for number in range(100))]
    new = made(tmp_path, a_file(tmp_path / "demo.csv", lines))

    assert 3000 < sample_of(new).stat().st_size < 20_000
    assert len(io.BytesIO(sample_of(new).read_bytes()).readlines()) == 6
