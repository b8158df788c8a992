"""Secrets of source URLs on AWS: read from Secrets Manager into this process's environment, for as long as needed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from pharmaetl.aws.account import Account, speaking
from pharmaetl.errors import ConfigError
from pharmaetl.secret import resolve

VARIABLE = "PHARMAETL_SECRET_"
"""Followed by a placeholder's name: the environment variable with the id of the secret behind it."""
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


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
