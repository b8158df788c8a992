"""Download a file from a web site: resumed where it stopped, never spliced from two versions, hashed on the way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from pharmaetl.download import answers
from pharmaetl.download.answers import Origin
from pharmaetl.download.partial import CHUNK, Partial
from pharmaetl.download.patience import Pace, Retries
from pharmaetl.download.refusals import PassingError, malformed, refusal
from pharmaetl.download.site import Site
from pharmaetl.download.transfer import Fetched, Known, Limits, NotModified, Probed, Progress, Web, now
from pharmaetl.errors import RefusedError, SourceFormatError
from pharmaetl.secret import redact

if TYPE_CHECKING:
    import requests

_NO_HEAD = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


def download(
    web: Web,
    spool: Path,
    *,
    limits: Limits,
    known: Known | None,
    progress: Progress | None,
    sleep: Callable[[float], None],
) -> Fetched | NotModified:
    """The file behind a URL in the spool, or the word that the known version is current."""
    with closing(Site(web.shown, web.url, limits)) as site, Partial(spool, web.shown) as partial:
        return Download(site, partial, known if known and known.url == web.shown else None, progress).run(sleep)


def probe(web: Web, *, limits: Limits, known: Known | None, sleep: Callable[[float], None]) -> Probed:
    """What the site says of a file without sending it; errors as for a download."""
    known = known if known and known.url == web.shown else None
    with closing(Site(web.shown, web.url, limits)) as site:
        retries = Retries(limits, sleep)
        while True:
            try:
                return _probed(site, known)
            except PassingError as error:
                problem = error
            retries.pause(problem, site.seconds_left())


class Download:
    """One download: as many requests as it takes."""

    def __init__(self, site: Site, partial: Partial, known: Known | None, progress: Progress | None) -> None:
        self._site = site
        self._shown = site.shown
        self._limits = site.limits
        self._partial = partial
        self._known = known
        self._progress = progress

    def run(self, sleep: Callable[[float], None]) -> Fetched | NotModified:
        """Ask until the file is complete; the error of the last attempt where it can't be had."""
        retries, furthest = Retries(self._limits, sleep), self._partial.size
        while True:
            try:
                return self._attempt()
            except PassingError as error:
                problem = error
            if self._partial.size > furthest:
                furthest = self._partial.size
                retries.start_anew()
            retries.pause(problem, self._site.seconds_left())

    def _attempt(self) -> Fetched | NotModified:
        start = self._partial.size if self._partial.resumable else 0
        with self._site.ask("GET", {**_conditions(self._known), **self._range(start)}) as response:
            if response.status_code == HTTPStatus.NOT_MODIFIED and self._known and _conditions(self._known):
                return NotModified(self._known)
            if not start or self._goes_on(response, start):
                return self._receive(response, start)
        # Not the rest of what we have. An empty partial asks for no range, so this comes but once.
        self._partial.restart(Origin())
        return self._attempt()

    def _range(self, start: int) -> dict[str, str]:
        validator = self._partial.origin.validator
        return {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}

    def _goes_on(self, response: requests.Response, start: int) -> bool:
        """Can the answer to a range request be used: the right part of the same file, the whole file, or an error?"""
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return False
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            return True
        part = answers.part_of(response)
        if part is None or part[0] != start:
            return False
        return self._partial.origin.goes_on_in(answers.origin_of(response, part[1]))

    def _receive(self, response: requests.Response, start: int) -> Fetched:
        """Take the body of an answer that is the file, or its rest from `start` on."""
        whole = response.status_code == HTTPStatus.OK
        if not whole and response.status_code != HTTPStatus.PARTIAL_CONTENT:
            raise refusal(response, self._shown)
        if not whole and not start:
            raise malformed(self._shown, "a part of the file that nobody asked for")
        total = self._total(response, 0 if whole else start)
        if whole:
            self._partial.restart(answers.origin_of(response, total))
        self._stream(response, total)
        if total is not None and self._partial.size < total:
            hint = "run again: the download goes on where it stopped, if the site lets it"
            raise PassingError(f"{self._shown}: ended after {self._partial.size} of {total} bytes", hint=hint)
        if not self._partial.size:
            raise SourceFormatError(f"{self._shown}: empty file", hint="the site sent no data; run again later")
        return self._fetched(response)

    def _total(self, response: requests.Response, start: int) -> int | None:
        """Size of the whole file in bytes, where the answer says; RefusedError where that is too much."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", ""}:
            hint = "the site compresses what was asked for as it is; download it by hand, then: run --source FILE"
            raise SourceFormatError(f"{self._shown}: sent with Content-Encoding {redact(encoding)[:20]}", hint=hint)
        part = answers.part_of(response) if start else None
        length = _length(response, self._shown)
        total = start + length if length is not None else None
        total = part[1] if part and part[1] is not None else total
        self._refuse_too_large(total or 0)
        return total

    def _refuse_too_large(self, size: int) -> None:
        if size > self._limits.max_bytes:
            reason = f"{self._shown}: larger than the {self._limits.max_bytes} bytes that max_bytes allows"
            raise RefusedError(reason, hint="if the file has grown for good, raise max_bytes in the dataset's config")

    def _stream(self, response: requests.Response, total: int | None) -> None:
        pace = Pace(self._site, self._partial.size)
        while chunk := self._site.read(response, CHUNK):
            if not self._partial.size and answers.is_web_page(response, chunk):
                hint = "open the URL in a browser: a login, a notice or an error page?"
                raise SourceFormatError(f"{self._shown}: the site answered with a web page, not with a file", hint=hint)
            self._refuse_too_large(self._partial.size + len(chunk))
            if total is not None and self._partial.size + len(chunk) > total:
                self._partial.restart(Origin())
                raise malformed(self._shown, f"more than the {total} bytes it declared")
            self._partial.append(chunk)
            pace.check(self._partial.size)
            if self._progress:
                self._progress(self._partial.size, total)
        if self._site.sent_more:
            self._partial.restart(Origin())
            raise malformed(self._shown, "more bytes than it declared")

    def _fetched(self, response: requests.Response) -> Fetched:
        origin = answers.origin_of(response, None)
        name = answers.file_name(response.headers.get("Content-Disposition"), response.url, self._shown)
        size, sha256 = self._partial.size, self._partial.sha256
        return Fetched(
            path=self._partial.finish(name),
            url=self._shown,
            file_name=name,
            sha256=sha256,
            bytes=size,
            etag=origin.etag or self._partial.origin.etag,
            last_modified=origin.last_modified or self._partial.origin.last_modified,
            fetched_at=now(),
        )


def _length(response: requests.Response, shown: str) -> int | None:
    try:
        return answers.length_of(response)
    except ValueError as error:
        raise malformed(shown, str(error)) from None


def _conditions(known: Known | None) -> dict[str, str]:
    """Headers that let the site answer 304 where the known version is current."""
    if known is None:
        return {}
    values = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in values.items() if value}


def _probed(site: Site, known: Known | None) -> Probed:
    conditions = _conditions(known)
    with site.ask("HEAD", conditions) as response:
        if response.status_code not in _NO_HEAD:
            return _said(response, site.shown, known)
    # Some sites sign or allow GET only; the body stays unread.
    with site.ask("GET", conditions) as response:
        return _said(response, site.shown, known)


def _said(response: requests.Response, shown: str, known: Known | None) -> Probed:
    if response.status_code == HTTPStatus.NOT_MODIFIED and known and _conditions(known):
        return Probed(shown, None, known.sha256, known.etag, known.last_modified, modified=False)
    if response.status_code != HTTPStatus.OK:
        raise refusal(response, shown)
    origin = answers.origin_of(response, _length(response, shown))
    return Probed(shown, origin.total, None, origin.etag, origin.last_modified, _modified(origin, known))


def _modified(origin: Origin, known: Known | None) -> bool | None:
    """Do the validators differ from the known ones? None where there is nothing to compare."""
    if known is None:
        return None
    if origin.etag and known.etag:
        return origin.etag != known.etag
    if origin.last_modified and known.last_modified:
        return origin.last_modified != known.last_modified
    return None
