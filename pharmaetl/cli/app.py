"""The command tree, and the one boundary where exceptions become a line on stderr and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.main import get_command

from pharmaetl import __version__
from pharmaetl.cli.failures import PROGRAM, failure_of
from pharmaetl.cli.options import Command, add, group, help_without_command
from pharmaetl.cli.output import Output, prepare_streams

HELP = (
    "Keep a lake of public drug data current and trustworthy: fetch, check, publish, and say where every row came from."
)

EXAMPLES = """
\b
Examples:
  pharmaetl dataset list
  pharmaetl run DATASET --lake ./lake
  pharmaetl run DATASET --source release.zip --json
  pharmaetl status
  pharmaetl path DATASET

\b
Exit codes:
  0 done, or nothing to do    4 the data was refused
  1 a bug                     5 source site unavailable or denied
  2 usage                     6 conflict with another run
  3 configuration             7 local I/O       130 interrupted

Data goes to stdout, everything else to stderr. In a pipe, tables are aligned plain text with a header, never cut.
"""

COMMANDS: Mapping[str, str] = {
    "run": "run",
    "plan": "run",
    "status": "status",
    "lineage": "lineage",
    "path": "path",
    "doctor": "doctor",
    "prune": "prune",
}
"""Commands without a group, and which module here has the function of the same name."""

GROUPS: Mapping[str, tuple[str, str]] = {
    "manifest": ("The publish log, which decides what readers see.", "show history verify rollback"),
    "runs": ("What was done in a lake.", "list_ show watch stop resume"),
    "quality": ("What the gate checks, and what it found.", "show history export"),
    "dataset": (
        "The configs that say what there is to run.",
        "list_ show validate schema new drift accept",
    ),
    "aws": ("The same pipelines on AWS.", "synth deploy start status doctor"),
}
"""Groups of commands, each with the functions that the module of its name here has for them."""


def _print_version(asked: bool) -> None:
    if asked:
        Output().text(f"{PROGRAM} {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")]


def _program(context: typer.Context, version: Version = False) -> None:
    if not version:
        help_without_command(context)


def build(first: str = "") -> typer.Typer:
    """The whole command tree; where the first word names a command or group, only what is below that one.

    Importing every command's module and reading its options takes longer than most commands do.
    """
    app = group(PROGRAM, HELP, epilog=EXAMPLES, callback=_program)
    is_known = first in COMMANDS or first in GROUPS
    for name, module in COMMANDS.items():
        if not is_known or name == first:
            add(app, [_function(module, name)])
    for name, (text, functions) in GROUPS.items():
        if not is_known or name == first:
            app.add_typer(add(group(name, text), [_function(name, function) for function in functions.split()]))
    return app


def _function(module: str, name: str) -> Command:
    function: Command = getattr(import_module(f"{__package__}.{module}"), name)
    return function


def main() -> int:
    """The program: reads its words from the command line; the exit code."""
    prepare_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    return answer(sys.argv[1:])


def answer(words: Sequence[str]) -> int:
    """Do what the words say; the exit code. Whatever is raised below ends here."""
    try:
        code = get_command(build(*words[:1])).main(args=list(words), prog_name=PROGRAM, standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        _output_for(words).fail(failure)
        return failure.exit_code
    return code if isinstance(code, int) else 0


def _output_for(words: Sequence[str]) -> Output:
    """How to print an error: read from the bare words, since they may be what is wrong."""
    options = words[: list(words).index("--")] if "--" in words else words
    short = "".join(word for word in options if word.startswith("-") and not word.startswith("--"))
    return Output(as_json="--json" in options, verbose="--verbose" in options or "v" in short)
