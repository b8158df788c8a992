"""`doctor`: is this machine fit to run?"""

from __future__ import annotations

from pharmaetl.cli.session import Session
from pharmaetl.cli.views import machine as views
from pharmaetl.errors import ConfigError


def doctor(session: Session) -> None:
    """Check whether this machine is fit to run.

    Looks at Python, engines, Java, disk, the lake, the datasets and their sources; each finding comes with its fix.
    """
    from pharmaetl import api

    diagnoses = api.doctor(session.place)
    session.show(views.doctor(diagnoses))
    failed = [diagnosis.name for diagnosis in diagnoses if diagnosis.outcome == "fail"]
    if failed:
        raise ConfigError(f"not fit to run: {', '.join(failed)}", hint="see the fixes above")
