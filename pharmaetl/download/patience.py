"""How long a download is waited for: pauses between attempts, and the slowest pace that is put up with."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pharmaetl.download.refusals import PassingError
from pharmaetl.download.site import Site
from pharmaetl.download.transfer import Limits
from pharmaetl.errors import UnavailableError


class Retries:
    """Exponential backoff with full jitter between failures that may pass."""

    def __init__(self, limits: Limits, sleep: Callable[[float], None]) -> None:
        self._limits = limits
        self._sleep = sleep
        self._failures = 0

    def start_anew(self) -> None:
        """There was progress: what failed before doesn't count."""
        self._failures = 0

    def pause(self, problem: PassingError, seconds_left: float) -> None:
        """Wait before the next attempt; raises the problem as an UnavailableError where there is none left."""
        self._failures += 1
        limits, asked = self._limits, max(problem.wait or 0, 0)
        tried = f" ({self._failures} attempts)" if self._failures > 1 else ""
        if asked > min(limits.max_retry_after_seconds, seconds_left):
            raise UnavailableError(
                f"{problem.reason}, and not to ask again for {asked:.0f} s{tried}",
                hint=f"run again after {_moment(asked)}: the site's Retry-After is longer than a run waits",
            )
        backoff = min(limits.max_backoff_seconds, limits.backoff_seconds * 2 ** (self._failures - 1))
        wait = max(asked, random.SystemRandom().uniform(0, backoff))
        if self._failures >= limits.attempts or wait >= seconds_left:
            raise UnavailableError(f"{problem.reason}{tried}", hint=problem.hint)
        self._sleep(wait)


def _moment(seconds: float) -> str:
    """The time in so many seconds, in UTC."""
    try:
        return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "that"


class Pace:
    """Gives up on a body that comes in too slowly, or not before the deadline."""

    def __init__(self, site: Site, done: int) -> None:
        self._site = site
        self._done = done
        self._since = time.monotonic()

    def check(self, done: int) -> None:
        """Judge `done`, the bytes so far; UnavailableError where a window of time brought too few."""
        self._site.seconds_left()
        limits, seconds = self._site.limits, time.monotonic() - self._since
        if seconds < limits.window_seconds:
            return
        rate = (done - self._done) / seconds
        if rate < limits.min_bytes_per_second:
            reason = f"{self._site.shown}: too slow, {rate:.0f} bytes a second where at least"
            raise UnavailableError(
                f"{reason} {limits.min_bytes_per_second} are needed", hint="run again later, or from another network"
            )
        self._done, self._since = done, time.monotonic()
