"""Secrets of source URLs on AWS: read from Secrets Manager into this process's environment, for as long as needed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pharmaetl.aws.account import Account, speaking
from pharmaetl.errors import ConfigError, UsageError
from pharmaetl.secret import resolve

VARIABLE = "PHARMAETL_SECRET_"
"""Followed by a placeholder's name: the environment variable with the id of the secret behind it."""
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SITE = re.compile(r"(?i)https?://[a-z0-9.-]+(?::\d+)?(?=[/?])")


@contextmanager
def in_environment(url: str) -> Iterator[None]:
    """Have every `${NAME}` of a URL in the environment while the context lasts; nothing else is read.

    Each invocation reads anew, so that a changed key holds at once. Raises ConfigError for a secret without a value,
    DeniedError and UnavailableError where Secrets Manager can't be asked.
    """
    names = [name for name in dict.fromkeys(_PLACEHOLDER.findall(url)) if f"{VARIABLE}{name}" in os.environ]
    for name in names:
        os.environ[name] = _value(name, os.environ[f"{VARIABLE}{name}"])
        resolve(f"${{{name}}}", os.environ)  # from here on it is hidden wherever something is shown
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def refuse_elsewhere(url: str, known: Iterable[str]) -> None:
    """UsageError where a URL that somebody asked for has a placeholder that no known URL of the same site has.

    Whoever may start a run would else have the function send its secrets, and the keys of its own role, wherever they
    like.
    """
    sites = {(_site(one), name) for one in known for name in _PLACEHOLDER.findall(one)}
    for name in re.findall(r"\$\{([^}]*)\}", url):
        if not _site(url) or (_site(url), name) not in sites:
            raise UsageError(
                f"${{{name}}} in `source_url` is not for this site: the config's own URLs say what may be sent where",
                hint="name an `edition` of the config, or a URL of the same site as that one's",
            )


def _site(url: str) -> str:
    """Scheme, host and port of a URL in plain spelling, in small letters; empty for any other."""
    found = _SITE.match(url)
    return found[0].lower() if found else ""


def _value(name: str, secret_id: str) -> str:
    missing = f"aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string …"
    with speaking("secretsmanager:GetSecretValue", absent=missing):
        found = Account().client("secretsmanager").get_secret_value(SecretId=secret_id)
    value = _in_object(name, str(found.get("SecretString") or "")).strip()
    if not value:
        raise ConfigError(f"the secret {secret_id} has no value for {name}", hint=missing)
    return value


def _in_object(name: str, text: str) -> str:
    """The secret itself, or where it is a JSON object, as the console makes them, what stands under the name."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found.get(name, "")) if isinstance(found, dict) else text
