"""`doctor`: is this machine fit to run?"""

from __future__ import annotations

from typing import Annotated

import typer

from pharmaetl.cli.session import Session
from pharmaetl.cli.views import machine as views
from pharmaetl.errors import ConfigError

Repair = Annotated[bool, typer.Option("--repair", help="Rebuild what is derived from the publish log.")]


def doctor(session: Session, repair: Repair = False) -> None:
    """Check whether this machine is fit to run.

    Looks at Python, engines, Java, disk, the lake, the datasets and their sources; each finding comes with its fix.
    With --repair, `manifests/<dataset>.json` is written anew from the log; what is not derived is never guessed.
    """
    from pharmaetl import api

    diagnoses = api.doctor(session.place)
    if repair:
        diagnoses += api.repair(session.place)
    session.show(views.doctor(diagnoses))
    failed = [diagnosis.name for diagnosis in diagnoses if diagnosis.outcome == "fail"]
    if failed:
        raise ConfigError(f"not fit to run: {', '.join(failed)}", hint="see the fixes above")
