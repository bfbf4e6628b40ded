"""How good the candles in the lake are, series by series."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl

from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval, parse_interval
from cripto.market.lake import CandleLake
from cripto.market.rules import row_rules
from cripto.market.validation import find_gaps

__all__ = ["QualityReport", "SeriesQuality", "check_lake"]


@dataclass(frozen=True, slots=True)
class SeriesQuality:
    """One series: how far it reaches, where candles are missing, which bars look wrong.

    ``longest_gap`` and ``missing`` in candles; ``flat`` counts bars of one price without volume; ``suspicious``
    rows by the rule of ``cripto.market.rules`` they break; ``behind`` candles that have closed since the last one
    held.
    """

    symbol: str
    quote: str
    interval: str
    candles: int
    first: datetime
    last: datetime
    gaps: int
    missing: int
    longest_gap: int
    flat: int
    suspicious: Mapping[str, int]
    behind: int

    def to_json(self) -> dict[str, Any]:
        """The series as JSON values."""
        return asdict(self) | {"first": rfc3339(self.first), "last": rfc3339(self.last)}


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Every series of a lake at one version (``None``: no table), sorted by interval, symbol and quote."""

    version: int | None
    series: tuple[SeriesQuality, ...]

    @property
    def candles(self) -> int:
        """Candles of all series."""
        return sum(item.candles for item in self.series)

    @property
    def suspicious(self) -> int:
        """Broken rules over all series; 0 for a lake that only validated candles entered."""
        return sum(sum(item.suspicious.values()) for item in self.series)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "version": self.version,
            "candles": self.candles,
            "gaps": sum(item.gaps for item in self.series),
            "missing": sum(item.missing for item in self.series),
            "flat": sum(item.flat for item in self.series),
            "suspicious": self.suspicious,
            "series": [item.to_json() for item in self.series],
        }


def check_lake(lake: CandleLake, interval: str | None = None, *, now: datetime) -> QualityReport:
    """Check every series of one interval, or of all; ``now`` (UTC) decides how far each is behind.

    Reads one interval at a time. Raises `InvalidInput` for an unknown interval, and what the lake raises.
    """
    wanted = [parse_interval(interval).name] if interval is not None else None
    version = lake.version()
    names = wanted or sorted({item.interval for item in lake.series()})
    found = [
        item for name in names for item in _checked(lake.read(name, version=version), parse_interval(name), now)
    ]
    return QualityReport(version, tuple(found))


def _checked(candles: pl.DataFrame, interval: Interval, now: datetime) -> list[SeriesQuality]:
    keys = ("symbol", "quote")
    rules = row_rules(interval, now)
    flat = (pl.col("high") == pl.col("low")) & (pl.col("open") == pl.col("close")) & (pl.col("volume") == 0)
    spans = candles.group_by(keys).agg(
        first=pl.col("time").min(),
        last=pl.col("time").max(),
        candles=pl.len(),
        flat=flat.sum(),
        **{rule.name: rule.broken.fill_null(False).sum() for rule in rules},
    )
    gaps = (
        find_gaps(candles, interval)
        .group_by(keys)
        .agg(gaps=pl.len(), missing=pl.col("missing").sum(), longest_gap=pl.col("missing").max())
    )
    joined = spans.join(gaps, on=keys, how="left").with_columns(
        pl.col("gaps", "missing", "longest_gap").fill_null(0)
    )
    return [
        SeriesQuality(
            symbol=row["symbol"],
            quote=row["quote"],
            interval=interval.name,
            candles=row["candles"],
            first=row["first"],
            last=row["last"],
            gaps=row["gaps"],
            missing=row["missing"],
            longest_gap=row["longest_gap"],
            flat=row["flat"],
            suspicious={rule.name: row[rule.name] for rule in rules if row[rule.name]},
            behind=interval.missed_since(interval.close_of(row["last"]), now),
        )
        for row in joined.sort(keys).iter_rows(named=True)
    ]
