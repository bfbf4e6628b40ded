"""Candle intervals and their arithmetic. Every time is a UTC-aware ``datetime``."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cripto.errors import InvalidInput, UnknownInterval

__all__ = ["INTERVALS", "Interval", "infer_interval", "parse_interval"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """A candle length that divides a day, aligned to the Unix epoch; ``name`` is the field's usual one (1d)."""

    name: str
    seconds: int

    @property
    def step(self) -> timedelta:
        """The length as a ``timedelta``."""
        return timedelta(seconds=self.seconds)

    @property
    def grace(self) -> timedelta:
        """How long after a close its candle may take to arrive before it is missed: a tenth, a minute at most."""
        return min(self.step / 10, _LONGEST_GRACE)

    def is_aligned(self, time: datetime) -> bool:
        """Whether a candle of this interval may open at ``time``."""
        return (time - _EPOCH) % self.step == timedelta(0)

    def floor(self, time: datetime) -> datetime:
        """The latest boundary at or before ``time``."""
        return time - (time - _EPOCH) % self.step

    def close_of(self, opened: datetime) -> datetime:
        """The close of the candle that opened at ``opened``."""
        return opened + self.step

    def missed_since(self, closed: datetime, now: datetime) -> int:
        """How many whole candles closed after ``closed`` and no later than ``now``; 0 for a clock behind."""
        return max(0, (now - closed) // self.step)

    def __str__(self) -> str:
        return self.name


INTERVALS = {
    name: Interval(name, seconds)
    for name, seconds in (
        ("1m", 60),
        ("5m", 300),
        ("15m", 900),
        ("30m", 1800),
        ("1h", 3600),
        ("2h", 7200),
        ("4h", 14400),
        ("6h", 21600),
        ("12h", 43200),
        ("1d", 86400),
    )
}
"""Every interval known, by name, shortest first."""


def parse_interval(name: str) -> Interval:
    """Return the interval called ``name``; raise `UnknownInterval`."""
    try:
        return INTERVALS[name]
    except KeyError:
        raise UnknownInterval(name, tuple(INTERVALS)) from None


def infer_interval(opens: Sequence[datetime]) -> Interval:
    """Return the interval whose length is the commonest spacing of the sorted, unique ``opens``.

    Raises `InvalidInput` with fewer than two times or a spacing that is no known interval.
    """
    spacings = Counter(later - earlier for earlier, later in pairwise(opens))
    if not spacings:
        raise InvalidInput("the interval cannot be inferred from fewer than two candle times")
    spacing, _ = spacings.most_common(1)[0]
    for interval in INTERVALS.values():
        if interval.step == spacing:
            return interval
    raise InvalidInput(f"candles {spacing} apart fit no known interval: {', '.join(INTERVALS)}")
