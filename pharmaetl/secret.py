"""Secrets in source URLs: filled in from the environment for a request, hidden wherever text is shown or stored."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import quote, quote_plus, unquote_plus

from pharmaetl.errors import ConfigError

HIDDEN = "***"

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AUTHORITY = re.compile(r"[^:/?#]+://([^/?#]*)")
_USERINFO = re.compile(r"(?<=://)[^/?#\s@]*(?:@[^/?#\s@]*)*(?=@)")
_SENSITIVE = r"(?:api[_-]?key|token|passw(?:or)?d|pwd|secret|signature|credential)"
# A parameter may also stand percent-encoded inside another one: ?url=https%3A%2F%2Fhost%2F%3FapiKey%3D…
_PARAMETER = re.compile(
    rf"""(?ix) ( (?: [\w.-]{{0,64}} {_SENSITIVE} [\w.-]{{0,64}}
                  | \b sig )
              (?: = | %3D ) )
              ( (?: (?!%26) [^&;\#\s"'<>] )+ )"""
)
_SECRET_VARIABLE = re.compile(rf"(?i)(?!(?:OLD)?PWD$).*{_SENSITIVE}")
_PROXY_VARIABLE = re.compile(r"(?i)(?!no_).*_proxy$")
# The engine opens a lake on S3 by itself, with the credentials that the AWS SDKs read.
_OF_THE_LAKE = re.compile(r"(?i)AWS_")
_GROUP = re.compile(r"[A-Za-z0-9]{8,}")
# A short value is found in harmless words once case and encoding don't count.
_LEAST_FOR_VARIANTS = 8

_values: dict[str, str] = {}
"""Every spelling of every value that a placeholder stood for, with the placeholder."""
_pattern: list[re.Pattern[str]] = []
"""The one expression that finds them all, once there are any."""


class Secret:
    """A text that is used and never shown: printed, formatted or logged it is what stands for it."""

    __slots__ = ("_shown", "_value")

    def __init__(self, value: str, shown: str = HIDDEN) -> None:
        self._value = value
        self._shown = shown

    def reveal(self) -> str:
        """The text itself, for the one request that needs it."""
        return self._value

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Secret({self._shown!r})"

    def __format__(self, spec: str) -> str:
        return format(self._shown, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not written down")


def resolve(url: str, env: Mapping[str, str]) -> Secret:
    """The URL with each `${NAME}` filled in from the environment; from then on `redact` hides the value.

    A value that lands in the query or in front of the @ is percent-encoded, any other is taken as it is. Keys that are
    written out in the URL are hidden from then on, too. Raises ConfigError where a variable isn't set.
    """
    query_from = url.find("?") if "?" in url else len(url)
    users = [range(*found.span()) for found in _USERINFO.finditer(url[:query_from])]

    def fill(match: re.Match[str]) -> str:
        value = _value(match[1], env)
        _register(value, match[0])
        encoded = match.start() > query_from or any(match.start() in user for user in users)
        return quote(value, safe="") if encoded else value

    shown = redact(url)
    for typed in _PARAMETER.finditer(url):
        if "${" not in typed[2] and len(typed[2]) >= _LEAST_FOR_VARIANTS:
            _register(unquote_plus(typed[2]), HIDDEN)
    return Secret(_PLACEHOLDER.sub(fill, url), shown)


def redact(text: str) -> str:
    """The text without secrets: resolved values become their placeholder again, other keys and passwords `***`."""
    if _pattern:
        text = _pattern[0].sub(lambda match: _values[_key(match[0])], text)
    text = _USERINFO.sub(lambda match: _hidden(match[0]), text)
    return _PARAMETER.sub(lambda match: match[1] + _hidden(match[2]), text)


def holds_secret(url: str) -> bool:
    """Would `redact` hide something in this URL?"""
    return redact(url) != url


def holds_userinfo(url: str) -> bool:
    """Does a user name or password stand in front of the host, other than as placeholders?"""
    return any(_hidden(found[0]) == HIDDEN for found in _USERINFO.finditer(url.partition("?")[0]))


def shown_host(url: str) -> str:
    """Host and port of a URL, as they may be shown."""
    authority = _AUTHORITY.match(redact(url))
    return authority[1].rpartition("@")[2] if authority else ""


def environment_for_children() -> dict[str, str]:
    """This process's environment without variables that hold secrets, other than those that open a lake."""
    return {name: value for name, value in os.environ.items() if not _is_secret(name, value)}


@contextmanager
def hidden_from_children() -> Iterator[None]:
    """For processes that a library starts with the whole environment: it holds no secret meanwhile."""
    held = {name: value for name, value in os.environ.items() if _is_secret(name, value)}
    for name in held:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(held)


class RedactingFilter(logging.Filter):
    """Hides secrets in log lines of libraries that write out the URLs they request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message and traceback; every record passes."""
        record.msg, record.args = redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info))).rstrip("\n")
            record.exc_info = None
        return True


def _is_secret(name: str, value: str) -> bool:
    if _OF_THE_LAKE.match(name):
        return False
    if _PROXY_VARIABLE.match(name) and "@" in value:
        return True
    return _SECRET_VARIABLE.match(name) is not None or _key(value.strip()) in _values


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
    for spelling in _spellings(value):
        _values[_key(spelling)] = placeholder
    # The longest first: a secret may start with another one.
    longest_first = sorted(_values, key=len, reverse=True)
    exact = [re.escape(text) for text in longest_first if len(text) < _LEAST_FOR_VARIANTS]
    free = [re.escape(text) for text in longest_first if len(text) >= _LEAST_FOR_VARIANTS]
    _pattern[:] = [re.compile("|".join([*(f"(?i:{text})" for text in free), *exact]))]


def _key(spelling: str) -> str:
    """What case doesn't matter in, in lower case."""
    return spelling if len(spelling) < _LEAST_FOR_VARIANTS else spelling.lower()


def _spellings(value: str) -> Iterator[str]:
    """The value as it may turn up: plain, percent-encoded, escaped in JSON or a repr, and in Base64 and hex."""
    yield from (value, quote(value), quote(value, safe=""), quote_plus(value))
    if len(value) < _LEAST_FOR_VARIANTS:
        return
    yield from (json.dumps(value)[1:-1], repr(value)[1:-1], quote(quote(value, safe=""), safe=""))
    # A part of a key is still a secret: its groups, where they look like chance and not like words.
    yield from (part for part in _GROUP.findall(value) if re.search("[0-9]", part) and re.search("[A-Za-z]", part))
    data = value.encode()
    yield data.hex()
    for skipped in range(3):
        # In Base64 of a longer text the value starts at any of three places; what its neighbours share is left out.
        whole = base64.b64encode(bytes(skipped) + data).decode().rstrip("=")
        start = (skipped * 8 + 5) // 6
        core = whole[start : (skipped + len(data)) * 8 // 6]
        yield from (core, core.replace("+", "-").replace("/", "_"))


def _hidden(value: str) -> str:
    only_placeholders = not _PLACEHOLDER.sub("", value).strip(":")
    return value if only_placeholders else HIDDEN
