"""The options every command takes, and what follows from them: where it works and how it speaks."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from pharmaetl.cli.output import Output
from pharmaetl.errors import UsageError

if TYPE_CHECKING:
    from pharmaetl.api import Place
    from pharmaetl.cli.screen import Screen

LAKE_VARIABLE, DATASETS_VARIABLE = "PHARMAETL_LAKE", "PHARMAETL_DATASETS"
DEFAULT_LAKE = "./lake"

Lake = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help=f"Path or s3:// URL of the lake [{LAKE_VARIABLE}, or {DEFAULT_LAKE}].", show_default=False
    ),
]
Datasets = Annotated[
    str | None,
    typer.Option(
        metavar="DIR", help=f"Folder with dataset configs [{DATASETS_VARIABLE}, or found].", show_default=False
    ),
]


@dataclass(frozen=True)
class Session:
    """One command's settings. Its fields are options of every command."""

    lake: Lake = None
    datasets: Datasets = None
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, errors as JSON on stderr.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks on stderr.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="More detail; errors with their traceback.")] = False

    @cached_property
    def place(self) -> Place:
        """The lake and the dataset folders to work with; UsageError where one is given but empty."""
        from pharmaetl.api import Place

        if self.lake == "" or self.datasets == "":
            raise UsageError("--lake and --datasets want a path", hint="leave the option out for its default")
        return Place(
            lake=self.lake or os.environ.get(LAKE_VARIABLE) or DEFAULT_LAKE,
            datasets=self.datasets or os.environ.get(DATASETS_VARIABLE) or None,
        )

    @property
    def output(self) -> Output:
        """The one that prints."""
        return Output(self.as_json, self.quiet, self.verbose)

    def show(self, screen: Screen) -> None:
        """Print a command's answer, and the next command where there is one."""
        self.output.show(screen)
        if screen.follow_up:
            self.output.next_command(self.command(screen.follow_up))

    def command(self, words: str) -> str:
        """A command to type next, in the same lake and with the same dataset folders as this one."""
        given = (("--lake", self.lake), ("--datasets", self.datasets))
        options = "".join(f" {option} {shlex.quote(value)}" for option, value in given if value)
        return f"pharmaetl {words}{options}"
