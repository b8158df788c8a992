"""Secrets in source URLs: filled in from the environment for a request, hidden wherever text is shown or stored."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from pharmaetl.errors import ConfigError

HIDDEN = "***"

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AUTHORITY = re.compile(r"[^:/?#]+://([^/?#]*)")
_USERINFO = re.compile(r"(?<=://)[^/?#\s@]*(?:@[^/?#\s@]*)*(?=@)")
# A parameter may also stand percent-encoded inside another one: ?url=https%3A%2F%2Fhost%2F%3FapiKey%3D…
_PARAMETER = re.compile(
    r"""(?ix) ( (?: [\w.-]{0,64} (?:api[_-]?key|token|passw(?:or)?d|pwd|secret|signature|credential) [\w.-]{0,64}
                  | \b sig )
              (?: = | %3D ) )
              ( (?: (?!%26) [^&;\#\s"'<>] )+ )"""
)

_values: dict[str, str] = {}
"""Every spelling of every value that a placeholder stood for, with the placeholder."""


def resolve(url: str, env: Mapping[str, str]) -> str:
    """The URL with each `${NAME}` filled in from the environment; from then on `redact` hides the value.

    A value that lands in the query is percent-encoded, one in front of it is taken as it is.
    Raises ConfigError where a variable isn't set. Record the URL as it was before, never the result.
    """
    query_from = url.find("?") if "?" in url else len(url)

    def fill(match: re.Match[str]) -> str:
        value = _value(match[1], env)
        _register(value, match[0])
        return quote(value, safe="") if match.start() > query_from else value

    return _PLACEHOLDER.sub(fill, url)


def redact(text: str) -> str:
    """The text without secrets: resolved values become their placeholder again, other keys and passwords `***`."""
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, _values[value])
    text = _USERINFO.sub(lambda match: _hidden(match[0]), text)
    return _PARAMETER.sub(lambda match: match[1] + _hidden(match[2]), text)


def holds_secret(url: str) -> bool:
    """Would `redact` hide something in this URL?"""
    return redact(url) != url


def shown_host(url: str) -> str:
    """Host and port of a URL, as they may be shown."""
    authority = _AUTHORITY.match(redact(url))
    return authority[1].rpartition("@")[2] if authority else ""


class RedactingFilter(logging.Filter):
    """Hides secrets in log lines of libraries that write out the URLs they request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message; every record passes."""
        record.msg, record.args = redact(record.getMessage()), None
        return True


def _value(name: str, env: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"${{{name}}} in the source URL is no placeholder", hint="write ${NAME}: letters, digits and _"
        )
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(
            f"the environment variable {name} is not set; the source URL needs it",
            hint=f"export {name}=…; its value is neither stored nor shown",
        )
    return value


def _register(value: str, placeholder: str) -> None:
    for spelling in (value, quote(value), quote(value, safe=""), quote_plus(value)):
        _values[spelling] = placeholder


def _hidden(value: str) -> str:
    only_placeholders = not _PLACEHOLDER.sub("", value).strip(":")
    return value if only_placeholders else HIDDEN
