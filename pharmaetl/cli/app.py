"""The command tree, and the one boundary where exceptions become a line on stderr and an exit code."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from pharmaetl import __version__
from pharmaetl.cli import aws, dataset, doctor, lineage, manifest, path, prune, quality, run, runs, status
from pharmaetl.cli.failures import PROGRAM, failure_of
from pharmaetl.cli.options import add, group, help_without_command
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

GROUPS = (
    (
        "manifest",
        "The publish log, which decides what readers see.",
        (manifest.show, manifest.history, manifest.verify, manifest.rollback),
    ),
    ("runs", "What was done in a lake.", (runs.list_, runs.show, runs.watch, runs.stop, runs.resume)),
    ("quality", "What the gate checks, and what it found.", (quality.show, quality.history, quality.export)),
    (
        "dataset",
        "The configs that say what there is to run.",
        (dataset.list_, dataset.show, dataset.validate, dataset.schema, dataset.new, dataset.drift, dataset.accept),
    ),
    ("aws", "The same pipelines on AWS.", (aws.synth, aws.deploy, aws.start, aws.status, aws.doctor)),
)


def _print_version(asked: bool) -> None:
    if asked:
        Output().text(f"{PROGRAM} {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")]


def _program(context: typer.Context, version: Version = False) -> None:
    if not version:
        help_without_command(context)


def build() -> typer.Typer:
    """The whole command tree."""
    app = group(PROGRAM, HELP, epilog=EXAMPLES, callback=_program)
    add(app, (run.run, run.plan, status.status, lineage.lineage, path.path, doctor.doctor, prune.prune))
    for name, text, commands in GROUPS:
        app.add_typer(add(group(name, text), commands))
    return app


def main() -> int:
    """The program: reads its words from the command line; the exit code."""
    prepare_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    return answer(sys.argv[1:])


def answer(words: Sequence[str]) -> int:
    """Do what the words say; the exit code. Whatever is raised below ends here."""
    try:
        code = get_command(build()).main(args=list(words), prog_name=PROGRAM, standalone_mode=False)
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
