"""What is missing of a series, as stretches of time: arithmetic on what is held and what is known to be empty."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from cripto.domain.candle import Series
from cripto.domain.interval import Interval

__all__ = [
    "AGAIN",
    "Stretch",
    "held_stretches",
    "joined",
    "missing",
    "settled_before",
    "told_stretches",
    "without",
]

AGAIN = 3
"""How many of the last candles held are asked for again: exchanges revise them."""

_NEAR = 100
_SETTLED = timedelta(hours=1)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """Candles that open at ``start`` or later and before ``end`` (UTC)."""

    start: datetime
    end: datetime


def joined(stretches: Iterable[Stretch], near: timedelta = timedelta(0)) -> list[Stretch]:
    """The same times as few stretches, sorted; those at most ``near`` apart are one."""
    found: list[Stretch] = []
    for stretch in sorted(item for item in stretches if item.start < item.end):
        if found and stretch.start - found[-1].end <= near:
            found[-1] = Stretch(found[-1].start, max(found[-1].end, stretch.end))
        else:
            found.append(stretch)
    return found


def without(stretches: Iterable[Stretch], taken: Iterable[Stretch]) -> list[Stretch]:
    """What of ``stretches`` is not in ``taken``, sorted."""
    left: list[Stretch] = []
    others = joined(taken)
    for stretch in joined(stretches):
        start = stretch.start
        for other in others:
            if other.end <= start or other.start >= stretch.end:
                continue
            if other.start > start:
                left.append(Stretch(start, other.start))
            start = max(start, other.end)
        if start < stretch.end:
            left.append(Stretch(start, stretch.end))
    return left


def held_stretches(spans: Iterable[Series], interval: Interval) -> list[Stretch]:
    """Unbroken runs of candles as stretches."""
    return joined(Stretch(span.first, span.last + interval.step) for span in spans)


def told_stretches(times: pl.Series, interval: Interval) -> list[Stretch]:
    """The stretches that candles cover whose sorted opens are ``times``."""
    if times.is_empty():
        return []
    first, last = times[0], times[-1]
    if last - first == interval.step * (times.len() - 1):
        return [Stretch(first, last + interval.step)]
    return joined(Stretch(time, time + interval.step) for time in times)


def settled_before(until: datetime, interval: Interval, again: int = AGAIN) -> datetime:
    """Candles that open before this and were not told come no more: an hour, and a few candles, have passed."""
    return interval.floor(until - max(_SETTLED, again * interval.step))


def missing(
    held: Sequence[Stretch],
    empty: Sequence[Stretch],
    since: datetime,
    until: datetime,
    interval: Interval,
    again: int = AGAIN,
) -> list[Stretch]:
    """What to ask for between ``since`` and ``until``: before the first, gaps, after the last, sorted.

    ``held`` are candles there are; in ``empty`` an exchange has none. The last ``again`` candles held are asked
    for once more. Each stretch begins with a candle that is held, where there is one before it, so that what is
    new can be compared with it. Stretches less than a page apart are one: asking for both at once costs no more.
    """
    first = interval.floor(since)
    if first < since:
        first += interval.step
    whole = Stretch(first, until)
    wanted = without([whole], [*held, *empty])
    known = [Stretch(max(item.start, first), min(item.end, until)) for item in held]
    known = [item for item in known if item.start < item.end]
    if known and again:
        last = max(item.end for item in known)
        wanted.append(Stretch(max(first, last - again * interval.step), last))
    starts = [_with_neighbour(item, known, interval.step) for item in joined(wanted)]
    return joined(starts, _NEAR * interval.step)


def _with_neighbour(stretch: Stretch, held: Sequence[Stretch], step: timedelta) -> Stretch:
    before = stretch.start - step
    return Stretch(before, stretch.end) if any(item.start <= before < item.end for item in held) else stretch
