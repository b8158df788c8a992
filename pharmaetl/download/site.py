"""Requests for one source URL on the web: explicit User-Agent, bounded in time, redirects under our rules."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pharmaetl import __version__, secret
from pharmaetl.download import connections
from pharmaetl.download.addresses import AddressBook, redirected, same_site
from pharmaetl.download.refusals import failure, malformed
from pharmaetl.download.transfer import Limits
from pharmaetl.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    import requests

USER_AGENT = f"pharmaetl/{__version__} (+public drug data pipeline)"
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDACTING = secret.RedactingFilter()
_TALKATIVE = (
    "requests", "urllib3", "urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response",
    "urllib3.util.retry",
)  # fmt: skip
"""Loggers that may write out what is requested; a filter holds for its own logger only."""


class Site:
    """The web site behind a URL. `shown` is the URL as it may be shown, `url` the one with its secrets filled in."""

    def __init__(self, shown: str, url: secret.Secret, limits: Limits) -> None:
        self.shown = shown
        self.limits = limits
        self._url = url
        self._deadline = time.monotonic() + limits.total_seconds
        self._book = AddressBook(url.reveal(), allow_private_hosts=limits.allow_private_hosts)
        self._line = connections.Line(self._book)
        self._session = _session()
        connections.mount(self._session, self._line)

    def seconds_left(self) -> float:
        """Until the deadline for everything together; UnavailableError where it has passed."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            reason = f"{self.shown}: not done within {self.limits.total_seconds:g} s"
            raise UnavailableError(reason, hint="run again: a download goes on where it stopped, if the site lets it")
        return left

    @contextmanager
    def ask(self, method: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """The answer that the redirects end in, its body not yet read; closed with the context.

        Raises RefusedError for a redirect that must not be followed, UnavailableError where nothing answers.
        """
        with closing(self._answer(method, headers)) as response:
            yield response

    def read(self, response: requests.Response, most: int) -> bytes:
        """The next bytes of the body as they come in, without decoding; empty at its end.

        It returns after one read of the socket, so that a site that drips can't hold the caller back.
        """
        import urllib3

        self._grant()
        try:
            return response.raw.read1(most, decode_content=False) or b""
        except (urllib3.exceptions.HTTPError, OSError) as error:
            problem = failure(error, self.shown, response.url)
        raise self._too_slow() or problem

    @property
    def sent_more(self) -> bool:
        """After the body's end: did the site send more than it had declared?"""
        return self._line.sent_more

    def close(self) -> None:
        """Drop the connections."""
        self._session.close()

    def _answer(self, method: str, headers: Mapping[str, str]) -> requests.Response:
        trail = [self._url.reveal()]
        while len(trail) <= MAX_REDIRECTS + 1:
            response = self._send(method, trail[-1], headers)
            if response.status_code not in _REDIRECTS:
                return response
            with closing(response):
                trail.append(self._target(response, trail[-1]))
        what = "go round in a loop" if len(set(trail)) < len(trail) else f"are more than {MAX_REDIRECTS}"
        raise RefusedError(f"{self.shown}: the site's redirects {what}", hint="check source_url in a browser")

    def _target(self, response: requests.Response, current: str) -> str:
        location = response.headers.get("Location")
        if location is None:
            raise malformed(self.shown, "a redirect that leads nowhere")
        # http.client hands headers out as Latin-1; what servers send is UTF-8.
        location = location.encode("latin-1", "replace").decode("utf-8", "replace")
        return redirected(
            current,
            location,
            first=self._url.reveal(),
            book=self._book,
            allow_private_hosts=self.limits.allow_private_hosts,
        )

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        import requests
        import urllib3

        left = self.seconds_left()
        timeout = (min(self.limits.connect_seconds, left), min(self.limits.read_seconds, left))
        # A name and password in ~/.netrc or in a redirect's Location are for the host the user named, for no other.
        first = self._url.reveal()
        auth = None if url == first or same_site(first, url) else _no_auth
        self._grant()
        try:
            return self._session.request(
                method, url, headers=dict(headers), timeout=timeout, stream=True, allow_redirects=False, auth=auth
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
            problem = failure(error, self.shown, url)
        # Raised out here, the error has no context: a traceback of the library's one would show the URL.
        raise self._too_slow() or problem

    def _grant(self) -> None:
        """Time for an answer's head, or for the next bytes: more than a silent site is given, less than for ever."""
        seconds = max(1.5 * self.limits.read_seconds, self.limits.window_seconds)
        self._line.grant(min(seconds, self.seconds_left()))

    def _too_slow(self) -> UnavailableError | None:
        """The error that stands for a read which ended because its time was used up."""
        if self._line.left:
            return None
        self.seconds_left()
        return UnavailableError(
            f"{self.shown}: too slow, it sends its answer a byte at a time",
            hint="run again later, or from another network",
        )


def _session() -> requests.Session:
    import requests

    class Session(requests.Session):
        """Leaves redirects alone: requests would read the whole body of one, however long, to prepare the next."""

        def get_redirect_target(self, _response: Any) -> None:
            return None

    session = Session()
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"})
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_REDACTING)
    return session


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
