"""A book whose clock goes, for what runs in other processes."""

import time
from datetime import datetime, timedelta

from tests.doubles.exchange_server.book import Book

__all__ = ["Ticking"]


class Ticking(Book):
    """A book whose clock stands still until it is `wound`, and then goes on as time does."""

    _base: datetime
    _wound: float | None = None

    def wind(self, now: datetime) -> None:
        """Let the clock go, from ``now`` on."""
        self._base, self._wound = now, time.monotonic()

    def _get_now(self) -> datetime:
        passed = 0.0 if self._wound is None else time.monotonic() - self._wound
        return self._base + timedelta(seconds=passed)

    def _set_now(self, value: datetime) -> None:
        self._base = value

    now = property(_get_now, _set_now)
