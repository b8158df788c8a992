"""How delimited files are written: the formats that a config can name."""

from __future__ import annotations

from pharmaetl.config.column import Model


class Dialect(Model):
    """How a delimited file is written."""

    delimiter: str
    quote: str
    header: bool
    trailing_delimiter: bool


DIALECTS = {
    "csv": Dialect(delimiter=",", quote='"', header=True, trailing_delimiter=False),
    "tsv": Dialect(delimiter="\t", quote="", header=True, trailing_delimiter=False),
    "rrf": Dialect(delimiter="|", quote="", header=False, trailing_delimiter=True),
}
"""The dialect of each format, before what a table says otherwise."""
