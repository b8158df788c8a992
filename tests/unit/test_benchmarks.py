"""Benchmarks: generators repeat themselves, a peer that drops a row is noticed, tables and charts are well-formed."""

from __future__ import annotations

import hashlib
import importlib
import sys
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import chart, measure
from benchmarks.contenders import Contender
from benchmarks.digest import difference, digest
from benchmarks.generate import generate
from benchmarks.nsde import code, nsde
from benchmarks.rounds import SameRows, measure_into
from benchmarks.section import Row, Section, Target, markdown, replaced
from pharmaetl import ndc

COLUMNS = ("code", "started")


def run_of(seconds: float, peak_bytes: int = 10**9) -> measure.Measured:
    return measure.Measured(seconds, seconds / 2, peak_bytes)


def parquet(path: Path, query: str) -> Path:
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as db:
        db.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("kind", ["nsde", "cder", "rxnorm"])
def test_a_seed_gives_the_same_release_byte_for_byte_and_another_seed_another_one(kind: str, tmp_path: Path) -> None:
    digests = []
    for name, seed in (("one", 5), ("again", 5), ("other", 6)):
        generate(kind, 700, tmp_path / name, seed)
        digests.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())

    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


@pytest.mark.parametrize("rows", [0, 1, 2, 4999])
def test_an_nsde_release_has_the_rows_that_were_asked_for(rows: int) -> None:
    assert len(list(nsde(rows, seed=1))) == 1 + rows


def test_one_nsde_row_in_a_hundred_stands_there_twice_and_the_other_codes_are_all_different() -> None:
    lines = Counter(list(nsde(20_000, seed=1))[1:])

    assert 150 < sum(copies - 1 for copies in lines.values()) < 250
    assert len({line.split(",")[0] for line in lines}) == len(lines)


@pytest.mark.parametrize("number", [0, 1, 2, 3_000_000, 299_998, 299_999, 14_999_999])
def test_a_generated_package_code_has_the_eleven_digits_that_stand_beside_it(number: int) -> None:
    item, eleven = code(number)

    assert ndc.ndc11(item) == eleven


def test_every_concept_of_a_generated_rxnorm_row_is_in_rxnconso(tmp_path: Path) -> None:
    generate("rxnorm", 7000, tmp_path / "rxnorm.zip")
    with zipfile.ZipFile(tmp_path / "rxnorm.zip") as archive:
        tables = {
            name: [line.split("|") for line in archive.read(f"rrf/{name}.RRF").decode().splitlines()]
            for name in ("RXNCONSO", "RXNREL", "RXNSAT")
        }
    concepts = {row[0] for row in tables["RXNCONSO"]}

    assert {name: len(rows) for name, rows in tables.items()} == {"RXNCONSO": 1200, "RXNREL": 7500, "RXNSAT": 7000}
    assert {row[0] for row in tables["RXNREL"]} | {row[4] for row in tables["RXNREL"]} <= concepts
    assert {row[0] for row in tables["RXNSAT"]} <= concepts


ROWS = "SELECT * FROM (VALUES ('a', DATE '2024-01-01'), ('a', DATE '2024-01-01'), ('b', NULL)) AS t(code, started)"


def test_the_order_of_rows_makes_no_difference(tmp_path: Path) -> None:
    one, other = parquet(tmp_path / "one", ROWS), parquet(tmp_path / "other", f"{ROWS} ORDER BY code DESC")

    assert digest(one, COLUMNS).rows == 3
    assert difference(one, other, COLUMNS) == ""


def test_a_peer_that_drops_a_row_is_noticed(tmp_path: Path) -> None:
    one, other = parquet(tmp_path / "one", ROWS), parquet(tmp_path / "other", f"{ROWS} WHERE code = 'a'")

    assert difference(one, other, COLUMNS) == ("2 rows instead of 3: 1 missing, 0 too many, such as ('b', None)")


def test_a_peer_that_keeps_one_of_two_equal_rows_is_noticed(tmp_path: Path) -> None:
    one, other = parquet(tmp_path / "one", ROWS), parquet(tmp_path / "other", f"SELECT DISTINCT * FROM ({ROWS})")

    assert difference(one, other, COLUMNS).startswith("2 rows instead of 3: 1 missing, 0 too many")


def test_a_value_that_moves_to_the_next_column_is_noticed(tmp_path: Path) -> None:
    one = parquet(tmp_path / "one", "SELECT 'x' AS code, NULL::VARCHAR AS started")
    other = parquet(tmp_path / "other", "SELECT NULL::VARCHAR AS code, 'x' AS started")

    assert "1 missing, 1 too many" in difference(one, other, COLUMNS)


def test_dates_as_text_are_not_the_same_as_dates(tmp_path: Path) -> None:
    one = parquet(tmp_path / "one", ROWS)
    other = parquet(tmp_path / "other", f"SELECT code, started::VARCHAR AS started FROM ({ROWS})")

    assert difference(one, other, COLUMNS) == "types ('VARCHAR', 'VARCHAR') instead of ('VARCHAR', 'DATE')"


def test_a_table_shows_medians_ratios_and_whether_targets_are_met() -> None:
    section = Section("Whole run", base="DuckDB")
    section.rows = [
        Row("10 rows", "DuckDB", (run_of(1), run_of(2), run_of(9))),
        Row("10 rows", "pharmaetl", (run_of(4), run_of(6, 3 * 10**9), run_of(5)), "same rows"),
    ]
    section.targets = [Target("against DuckDB", 2.5, 2), Target("unpack", 180, 150, "MB/s", at_least=True)]

    assert (
        markdown(section, "a machine", ["whole-run.svg"])
        == """\
## Whole run

a machine

|  |  | seconds | fastest–slowest | CPU seconds | peak memory | against DuckDB |  |
| --- | --- | --- | --- | --- | --- | --- | --- |
| 10 rows | DuckDB | 2.00 | 1.00–9.00 | 1.00 | 1.00 GB | 1.00× |  |
| 10 rows | pharmaetl | 5.00 | 4.00–6.00 | 2.50 | 3.00 GB | 2.50× | same rows |

| target | measured | bound |  |
| --- | --- | --- | --- |
| against DuckDB | 2.50 × | ≤ 2 × | **not met** |
| unpack | 180.00 MB/s | ≥ 150 MB/s | met |

![whole-run.svg](charts/whole-run.svg)
"""
    )


def test_a_new_section_takes_the_place_of_the_one_of_the_same_title() -> None:
    document = "# Results\n\n## Fetch\n\nold\n\n## Fetch: more\n\nother\n"

    assert replaced(document, "## Fetch\n\nnew\n") == "# Results\n\n## Fetch\n\nnew\n\n## Fetch: more\n\nother\n"
    assert replaced(document, "## Growth\n\nnew\n") == f"{document}\n## Growth\n\nnew\n"


def test_a_chart_is_well_formed_and_its_longest_bar_is_the_largest_value_of_its_panel() -> None:
    panels = [("10 rows <small>", [('DuckDB & "Co"', 1.0), ("pharmaetl run", 4.0)]), ("nothing", [("none", 0.0)])]

    drawing = ElementTree.fromstring(chart.bars('Seconds & "more"', "s", panels))

    words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    widths = [bar.get("width") for bar in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    assert words[:4] == ['Seconds & "more"', "10 rows <small>", 'DuckDB & "Co"', "1.00 s"]
    assert widths == ["100%", "105.0", "420.0", "0.0"]


BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
LEAVES_A_KILLED_CHILD = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN + "print(flush=True); time.sleep(60)"!r}],
                         stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
child.kill()
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_cpu_time_of_a_killed_child_that_nobody_waited_for_is_counted() -> None:
    assert measure.measure([sys.executable, "-c", LEAVES_A_KILLED_CHILD]).cpu_seconds >= 0.3


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_a_child_is_counted() -> None:
    child = "b = bytearray(60_000_000); b[::4096] = b[::4096]; import time; time.sleep(0.3)"
    both = (
        f"import subprocess, sys; b = bytearray(b'x') * 60_000_000; subprocess.run([sys.executable, '-c', {child!r}])"
    )

    assert measure.measure([sys.executable, "-c", both]).peak_bytes > 120_000_000


def copying(name: str, file: Path, out: Path) -> Contender:
    """A contender whose silver is a copy of this file."""
    silver = out / "silver.parquet"
    return Contender(name, ("sh", "-c", f"mkdir -p '{out}' && cp '{file}' '{silver}'"), out, silver)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_rounds_are_interleaved_and_other_rows_than_the_first_contenders_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = parquet(tmp_path / "good", ROWS), parquet(tmp_path / "bad", f"{ROWS} WHERE code = 'a'")
    files = {"first": good, "same": good, "dropping": bad}
    contenders = [copying(name, file, tmp_path / "out") for name, file in files.items()]
    section = Section("Whole run")

    measure_into(section, "3 rows", contenders, SameRows(contenders, COLUMNS, tmp_path / "aside"), repeat=2)

    assert [(row.name, row.note) for row in section.rows] == [
        ("first", ""),
        ("same", "same rows"),
        ("dropping", "**other rows**"),
    ]
    assert section.wrong == ["3 rows, dropping: 2 rows instead of 3: 1 missing, 0 too many, such as ('b', None)"]
    order = [line.split("  ")[2].partition(":")[0] for line in capsys.readouterr().err.splitlines()[1:]]
    assert order == ["first", "same", "dropping"] * 2


@pytest.mark.parametrize("peer", ["polars", "pyarrow"])
def test_the_peers_write_the_same_rows(peer: str, tmp_path: Path) -> None:
    pytest.importorskip(peer)
    release = tmp_path / "release.csv"
    release.write_text("\n".join([*nsde(5000, seed=4), *BLANK_AND_IMPOSSIBLE, ""]), encoding="utf-8")
    for name in ("duckdb", peer):
        importlib.import_module(f"benchmarks.peers.{name}_nsde").main(str(release), str(tmp_path / name))

    silver = [tmp_path / name / "silver.parquet" for name in ("duckdb", peer)]
    assert difference(*silver) == ""


BLANK_AND_IMPOSSIBLE = (
    "0002-0001-01,, spaced ,TABLET,NDA,  ,X,20230230,20240229,,00000000,20231301",
    '0002-0001-02,,"say ""a, b""",TABLET,NDA,,X,,,,,',
    "A1234-X0001,12345678901,,,,,,,,,,",
)
