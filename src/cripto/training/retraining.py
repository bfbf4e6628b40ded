"""Whether enough candles are new for training again to be worth its while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from cripto.domain.clock import parse_time, rfc3339
from cripto.domain.interval import Interval
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ReleaseRefused, UnknownRelease
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.market.selection import asset_series
from cripto.registry import ReleaseRegistry

__all__ = ["NewCandles", "new_candles"]


@dataclass(frozen=True, slots=True)
class NewCandles:
    """How many candle times are ``new`` since the candles of ``newest``, the newest release of the interval.

    ``since`` is the open (UTC) of that release's last candle. Both are ``None``, and ``new`` too, where there is
    no release or it does not tell: then nothing keeps from training.
    """

    needed: int
    new: int | None = None
    newest: ReleaseVersion | None = None
    since: datetime | None = None

    @property
    def enough(self) -> bool:
        """Whether to train."""
        return self.new is None or self.new >= self.needed

    def __str__(self) -> str:
        if self.newest is None or self.since is None:
            return "there is no release that tells its candles"
        return (
            f"{self.new} candle times closed since those of release {self.newest}, whose last opened"
            f" {rfc3339(self.since)}; {self.needed} are asked for"
        )

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "needed": self.needed,
            "new": self.new,
            "newest": None if self.newest is None else str(self.newest),
            "since": None if self.since is None else rfc3339(self.since),
        }


def new_candles(
    lake: CandleLake,
    registry: ReleaseRegistry,
    interval: Interval,
    quotes: Sequence[str],
    needed: int,
    listings: Listings | None = None,
) -> NewCandles:
    """Count the candle times of ``interval`` in the lake after those of the interval's newest release.

    A release that cannot be read is passed over, promoted or not makes no difference: what was found worse is not
    tried again on the same candles. Times count, not candles, so a new coin's whole past is nothing new. Raises
    `InvalidInput` for fewer than 1 ``needed``.
    """
    if needed < 1:
        raise InvalidInput(f"at least one new candle is asked for, not {needed}")
    manifest = _newest(registry, interval)
    since = None if manifest is None else _last_candle(manifest)
    if manifest is None or since is None:
        return NewCandles(needed)
    found = lake.read(interval.name, since=since)
    times = asset_series(found, quotes, listings or Listings()).filter(pl.col("time") > since)["time"]
    return NewCandles(needed, times.n_unique(), manifest.release, since)


def _newest(registry: ReleaseRegistry, interval: Interval) -> Manifest | None:
    for version in reversed(registry.versions()):
        try:
            manifest = registry.manifest(version)
        except (ReleaseRefused, UnknownRelease):
            continue
        if manifest.interval == interval.name:
            return manifest
    return None


def _last_candle(manifest: Manifest) -> datetime | None:
    try:
        return parse_time(manifest.training["candles"]["last"])
    except (KeyError, TypeError, ValueError, InvalidInput):
        return None
