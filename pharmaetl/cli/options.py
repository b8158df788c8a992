"""Commands from functions: a plain parameter is one option or argument, a dataclass stands for all of its fields."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from pharmaetl.cli.output import Output
from pharmaetl.cli.session import DATASETS_VARIABLE, Session
from pharmaetl.errors import EngineError, InterruptedRunError, PharmaetlError

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def dataset_names(context: typer.Context, incomplete: str) -> list[str]:
    """The dataset names that begin with what was typed; none where the folders can't be read."""
    from pharmaetl.catalog import open_catalog

    try:
        names = open_catalog(context.params.get("datasets") or os.environ.get(DATASETS_VARIABLE) or None).names()
    except (PharmaetlError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete)]


_NAME = typer.Argument(
    metavar="DATASET", autocompletion=dataset_names, help="A name that `dataset list` shows.", show_default=False
)
_NAME_OR_ALL = typer.Argument(
    metavar="DATASET", autocompletion=dataset_names, help="All of them without it.", show_default=False
)
_RUN_ID = typer.Argument(
    metavar="RUN_ID", help="The whole id, or as much of it as makes it unique.", show_default=False
)

_NAMES = typer.Argument(
    metavar="[DATASET]...", autocompletion=dataset_names, help="Names that `dataset list` shows.", show_default=False
)

_PRIVATE_HOSTS = typer.Option("--allow-private-hosts", help="Follow the site's redirects into private networks, too.")

AllowPrivateHosts = Annotated[bool, _PRIVATE_HOSTS]
DatasetArgument = Annotated[str, _NAME]
DatasetsArgument = Annotated[list[str] | None, _NAMES]
OptionalDataset = Annotated[str | None, _NAME_OR_ALL]
RunIdArgument = Annotated[str, _RUN_ID]

Command = Callable[..., None]


def group(name: str, text: str, *, epilog: str = "", callback: Command | None = None) -> typer.Typer:
    """An app or a group of commands; without a word after it, it prints its help, and that is no failure."""
    return typer.Typer(
        name=name,
        help=text,
        epilog=epilog,
        callback=callback or help_without_command,
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=HELP_OPTIONS,
    )


def help_without_command(context: typer.Context) -> None:
    """Print a group's help where no command of it is asked for."""
    if context.invoked_subcommand is None:
        Output().text(context.get_help())


def add(app: typer.Typer, commands: Iterable[Command]) -> typer.Typer:
    """Register functions as commands under their names; `list_` is `list`, the docstring is the help."""
    for function in commands:
        app.command(function.__name__.rstrip("_"))(_as_command(function))
    return app


def _as_command(function: Command) -> Command:
    """The function as typer calls it: one parameter an option, gathered into the dataclasses that it takes."""
    hints = get_type_hints(function, include_extras=True)
    taken = inspect.signature(function).parameters
    gathered = {name: hints[name] for name in taken if is_dataclass(hints[name])}

    @functools.wraps(function)
    def command(**given: Any) -> None:
        for name, kind in gathered.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        with _boundary(given["session"]):
            function(**given)

    own = [parameter.replace(annotation=hints[name]) for name, parameter in taken.items() if name not in gathered]
    spread = [parameter for kind in gathered.values() for parameter in _parameters(kind)]
    vars(command)["__signature__"] = inspect.Signature([*own, *spread])
    return command


@contextlib.contextmanager
def _boundary(session: Session) -> Iterator[None]:
    """Say of a failed run how to see its record; give a type to what typer would end the program with in silence."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedRunError("interrupted") from None
    except (BrokenPipeError, EOFError) as error:
        raise EngineError("a process or file that was being read ended early", hint="-v shows which") from error
    except PharmaetlError as error:
        if error.run_id is not None and f"runs show {error.run_id}" not in error.hint:
            show = session.command(f"runs show {error.run_id}")
            error.hint = f"{error.hint}; {show}" if error.hint else show
        raise


def _parameters(kind: Any) -> list[inspect.Parameter]:
    """The fields of a dataclass as parameters of a function."""
    hints = get_type_hints(kind, include_extras=True)
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter(field.name, either, default=field.default, annotation=hints[field.name])
        for field in fields(kind)
    ]
