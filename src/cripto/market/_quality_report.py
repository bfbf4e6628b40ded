"""What a look at the lake's candles says: the report of ``cripto.market.quality``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval
from cripto.market._sweep import LISTED

__all__ = ["Coverage", "Gap", "OddBars", "QualityReport", "SeriesQuality"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Candles missing in a row: the opens of the first and the last (UTC), and how many."""

    start: datetime
    end: datetime
    missing: int

    def to_json(self) -> dict[str, Any]:
        """The gap as JSON values."""
        return {"from": rfc3339(self.start), "to": rfc3339(self.end), "missing": self.missing}


@dataclass(frozen=True, slots=True)
class OddBars:
    """A bar, or bars in a row, that ``cripto.market.oddities`` remarks upon; times are opens, UTC.

    ``figure`` and ``limit``: see `cripto.market.oddities.ODDITY_SCHEMA`.
    """

    rule: str
    time: datetime
    until: datetime
    candles: int
    figure: float
    limit: float

    def to_json(self) -> dict[str, Any]:
        """The bars as JSON values."""
        return asdict(self) | {"time": rfc3339(self.time), "until": rfc3339(self.until)}


@dataclass(frozen=True, slots=True)
class SeriesQuality:
    """One series: how far it reaches, where candles are missing, which bars look wrong.

    ``first`` and ``last`` (UTC opens) are those of the whole series, the rest counts from ``since`` on, if that is
    given. ``longest_gap`` and ``missing`` in candles; ``flat`` counts bars of one price without volume;
    ``suspicious`` rows by the rule of ``cripto.market.rules`` they break, ``notices`` what
    ``cripto.market.oddities`` remarks upon, by its name; ``behind`` candles that have closed since the last one
    held, and ``stale_seconds`` the time since that one closed. ``coverage`` is the share held of the candles from
    its first to its last, ``share`` that of those from the first of any series of the interval to the last of any
    (from ``since``, where given); ``None`` where there are none to hold. ``listed_gaps`` are the longest and
    ``bars`` the oddest, at most 200 each and a gap at ``since``, in order of time.
    """

    symbol: str
    quote: str
    interval: str
    candles: int
    first: datetime
    last: datetime
    coverage: float | None
    share: float | None
    gaps: int
    missing: int
    longest_gap: int
    flat: int
    suspicious: Mapping[str, int]
    notices: Mapping[str, int]
    behind: int
    stale_seconds: int
    listed_gaps: tuple[Gap, ...]
    bars: tuple[OddBars, ...]

    def to_json(self) -> dict[str, Any]:
        """The series as JSON values."""
        return asdict(self) | {
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
            "listed_gaps": [gap.to_json() for gap in self.listed_gaps],
            "bars": [bar.to_json() for bar in self.bars],
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many candles of one interval each series holds in each of some 600 spans of time, for a picture.

    A span is ``bucket`` candles long; spans are numbered from the Unix epoch. The window looked at begins with
    ``window[0]`` and ends before ``window[1]``. ``held``: symbol, quote, bucket, candles; no row where there are
    none.
    """

    interval: Interval
    bucket: int
    window: tuple[datetime, datetime]
    held: pl.DataFrame


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Every series of a lake at one version (``None``: no table), sorted by interval, symbol and quote.

    ``coverage`` is there if it was asked for and there are candles.
    """

    version: int | None
    since: datetime | None
    now: datetime
    series: tuple[SeriesQuality, ...]
    coverage: Coverage | None = None

    @property
    def candles(self) -> int:
        """Candles of all series."""
        return sum(item.candles for item in self.series)

    @property
    def suspicious(self) -> int:
        """Broken rules over all series; 0 for a lake that only validated candles entered."""
        return sum(sum(item.suspicious.values()) for item in self.series)

    @property
    def notices(self) -> int:
        """Odd bars, and runs of them, over all series: no fault, but worth a look."""
        return sum(sum(item.notices.values()) for item in self.series)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "version": self.version,
            "since": None if self.since is None else rfc3339(self.since),
            "candles": self.candles,
            "gaps": sum(item.gaps for item in self.series),
            "missing": sum(item.missing for item in self.series),
            "flat": sum(item.flat for item in self.series),
            "suspicious": self.suspicious,
            "notices": self.notices,
            "listed_of_each": LISTED,
            "series": [item.to_json() for item in self.series],
        }
