"""What a web site's refusals and a network's failures mean, as errors with a reason and a hint.

No reason holds an exception's own text: requests and urllib3 write the whole URL into it, secrets included.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING

from pharmaetl import secret
from pharmaetl.download.answers import retry_after
from pharmaetl.errors import ConfigError, DeniedError, PharmaetlError, SourceFormatError, UnavailableError

if TYPE_CHECKING:
    import requests

_PASSING = frozenset({429, 500, 502, 503, 504})
_AGAIN = "the site or a proxy on the way is broken; run again later"
_CERTIFICATE = "check this machine's clock; behind a proxy that opens TLS, set REQUESTS_CA_BUNDLE to its certificate"
_DENIED = {
    401: "check the licence key or password that the URL's placeholder stands for",
    403: "the site refuses the licence key, the User-Agent or this network; check the key, then try a browser",
    404: "check source_url: the file isn't there, or has moved",
    407: "the proxy wants a password; check HTTPS_PROXY",
    410: "check source_url: the site has withdrawn the file",
}


class PassingError(UnavailableError):
    """A failure that may pass, so that it is worth asking again: not before `wait` seconds where the site says so."""

    def __init__(self, reason: str, *, hint: str = "", wait: float | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.wait = wait


def malformed(shown: str, what: str) -> PassingError:
    """An answer that breaks the rules of HTTP."""
    return PassingError(f"{shown}: a malformed answer: {what}", hint=_AGAIN)


def refusal(response: requests.Response, shown: str) -> PharmaetlError:
    """The error that a status other than those of a download means; `shown` is the source as it may be shown."""
    status = response.status_code
    phrase = next((f" {known.phrase}" for known in HTTPStatus if known == status), "")
    reason = f"{shown}: the site answered {status}{phrase}"
    if status in _PASSING:
        wait = retry_after(response.headers.get("Retry-After"))
        return PassingError(reason, hint="the site is busy or broken; run again later", wait=wait)
    if status == HTTPStatus.NO_CONTENT:
        return SourceFormatError(f"{shown}: empty file", hint="the site sent no data; run again later")
    if 400 <= status < 500:
        return DeniedError(reason, hint=_DENIED.get(status, "the site doesn't take this request; check source_url"))
    return UnavailableError(reason, hint="not what a download answers; open the URL in a browser to see what it is")


def failure(error: Exception, shown: str, url: str) -> PharmaetlError:
    """What an exception of requests or urllib3 means.

    `shown` is the source as it may be shown, `url` the address that was being asked, perhaps after a redirect.
    """
    host, causes = secret.shown_host(url), list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UnavailableError(f"{host}: invalid certificate: {cause.verify_message}", hint=_CERTIFICATE)
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return UnavailableError(
                f"{host}: no such host (DNS)", hint="check its spelling, and this machine's network"
            )
    for kind, reason, hint in _meanings(host, shown):
        if any(isinstance(cause, kind) for cause in causes):
            return PassingError(reason, hint=hint)
    if isinstance(error, ValueError):
        return ConfigError(f"{shown}: no URL that can be requested", hint="check source_url")
    name = type(causes[-1]).__name__
    return PassingError(f"{shown}: the connection failed ({name})", hint="check the network, then run again")


def _meanings(host: str, shown: str) -> tuple[tuple[type[BaseException], str, str], ...]:
    """Kind of failure, reason and hint, the more specific kinds first."""
    import requests
    from urllib3 import exceptions

    no_tls, https = f"{host}: no encrypted connection (TLS)", "check that the site speaks https on this port"
    broken, later = f"{shown}: a malformed answer", "run again later"
    return (
        (exceptions.NameResolutionError, f"{host}: its name can't be looked up (DNS)", "check this machine's network"),
        (requests.exceptions.ProxyError, f"{host}: the proxy doesn't connect", "check HTTPS_PROXY and NO_PROXY"),
        (ssl.SSLError, no_tls, https),
        (exceptions.SSLError, no_tls, https),
        (exceptions.ReadTimeoutError, f"{shown}: the site fell silent", later),
        (ConnectionRefusedError, f"{host}: connection refused", "the site is down, or the port is wrong"),
        (exceptions.NewConnectionError, f"{host}: can't be reached", "check this machine's network"),
        (exceptions.ConnectTimeoutError, f"{host}: no connection in time", "the site is down or a firewall is between"),
        (ConnectionResetError, f"{shown}: the connection was cut", later),
        (http.client.IncompleteRead, f"{shown}: the connection ended before the file did", later),
        (exceptions.InvalidHeader, broken, _AGAIN),
        (requests.exceptions.InvalidHeader, broken, _AGAIN),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything inside it: requests and urllib3 nest in args, reason, __cause__ and __context__."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
        pending += [item for item in inner if isinstance(item, BaseException)]
