"""Tables as jobs read, write and keep them: the splitter's records, Parquet, and what is worked out once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pharmaetl.spark import frames
from pharmaetl.spark.columns import FIELD_SEPARATOR

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRIMMED = "pharmaetl.trimmed"
"""In the metadata of a bronze file: a JSON list of the columns in which no value has outer blanks."""
FEW = "pharmaetl.few"
"""In the metadata of a bronze file: of those columns, the ones with few values, as a JSON object of lists."""
FEW_VALUES = 256
"""At most so many."""
WHOLE_FILE_ROWS = 200_000
"""Tables up to this size are written as one file (Sail writes up to four where exact duplicates were taken out)."""


def records(session: SparkSession, path: str, names: tuple[str, ...]) -> DataFrame:
    """The splitter's canonical form. Quoting is off: NUL can't occur in it, and every engine takes it as 'no quote'."""
    schema = f"{frames.LINE} bigint, " + ", ".join(f"`{name}` string" for name in names)
    return session.read.csv(
        path, schema=schema, sep=FIELD_SEPARATOR, header=False, quote="\0", escape="\0", mode="FAILFAST"
    )


def write(rows: DataFrame, path: str, expected: int, *, more: bool = False) -> None:
    """Parquet as it is published. The path must not exist; `more` adds to what is there."""
    frame = rows.coalesce(1) if expected <= WHOLE_FILE_ROWS else rows
    writer = frame.write.mode("append") if more else frame.write
    writer.option("compression", "zstd").parquet(path)


class Kept:
    """Rows worked out once: in memory, by an engine that can, else in files, of which engines know the size."""

    def __init__(self, session: SparkSession, folder: str) -> None:
        self._session = session
        self._folder = folder

    def keep(self, name: str, rows: DataFrame, few: Mapping[str, Sequence[str]] | None = None) -> DataFrame:
        """The rows, until others are kept under that name. `few`: by text column, its values, where they are known."""
        keep = getattr(self._session, "keep", None)
        if keep is not None:
            kept: DataFrame = keep(name, rows, few)
            return kept
        path = f"{self._folder}/{name}"
        rows.write.option("compression", "snappy").parquet(path)
        return self._session.read.schema(rows.schema).parquet(path)

    def add(self, name: str, rows: DataFrame) -> DataFrame:
        """The rows behind what is kept under that name; only by an engine that works in portions."""
        session: Any = self._session
        kept: DataFrame = session.add(name, rows)
        return kept

    def forget(self, *names: str) -> None:
        """Free the memory of what was kept."""
        forget = getattr(self._session, "forget", None)
        if forget is not None:
            forget(*names)


def portions(session: SparkSession, path: str, most: int) -> Sequence[str | list[str]]:
    """A table's files by portions of so many rows, by an engine that keeps rows in memory; by others, all of them."""
    several = getattr(session, "portions", None)
    found: Sequence[str | list[str]] = several(path, most) if several is not None else [path]
    return found


def trimmed(session: SparkSession, paths: str | list[str]) -> frozenset[str]:
    """The columns of which all files say that no value has outer blanks; by an engine that works in portions."""
    found = _noted(session, paths, TRIMMED)
    return frozenset.intersection(*map(frozenset, found)) if found else frozenset()


def few(session: SparkSession, paths: str | list[str]) -> dict[str, list[str]]:
    """The columns of which all files list the values, no more than FEW_VALUES together; for the same engines."""
    found = _noted(session, paths, FEW)
    columns = set.intersection(*map(set, found)) if found else set()
    values = {name: sorted({value for one in found for value in one[name]}) for name in sorted(columns)}
    return {name: known for name, known in values.items() if 0 < len(known) <= FEW_VALUES}


def _noted(session: SparkSession, paths: str | list[str], key: str) -> list[Any]:
    """What bronze's files have under a key of their metadata; nothing unless all of them have it."""
    noted = getattr(session, "noted", None)
    found: list[Any] = noted(paths, key) if noted is not None and isinstance(paths, list) else []
    return found if len(found) == len(paths) else []


def read(session: SparkSession, paths: str | list[str]) -> DataFrame:
    """Parquet files, or a folder of them."""
    return session.read.parquet(*paths) if isinstance(paths, list) else session.read.parquet(paths)
