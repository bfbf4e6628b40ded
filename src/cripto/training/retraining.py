"""Whether enough candles are new for training again to be worth its while."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

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
from cripto.training.not_closed import NotClosed, not_closed

__all__ = ["MOST_READ", "NewCandles", "new_candles"]

MOST_READ: Final = 20
"""How many manifests of the highest versions are read for the newest release, so that no long history is."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewCandles:
    """How many candle times are ``new`` since the candles of ``newest``, the release that knew the latest ones.

    ``since`` is the open (UTC) of that release's last candle. Both are ``None``, and ``new`` too, where there is
    no release or it does not tell: then nothing keeps from training. ``left_out`` have not closed, nor count.
    """

    needed: int
    new: int | None = None
    newest: ReleaseVersion | None = None
    since: datetime | None = None
    left_out: NotClosed = field(default_factory=NotClosed)

    @property
    def enough(self) -> bool:
        """Whether to train."""
        return self.new is None or self.new >= self.needed

    def __str__(self) -> str:
        if self.newest is None or self.since is None:
            return "there is no release that tells its candles"
        left_out = f"; {self.left_out}" if self.left_out else ""
        return (
            f"{self.new} candle times closed since those of release {self.newest}, whose last opened"
            f" {rfc3339(self.since)}; {self.needed} are asked for{left_out}"
        )

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "needed": self.needed,
            "new": self.new,
            "newest": None if self.newest is None else str(self.newest),
            "since": None if self.since is None else rfc3339(self.since),
            "not_closed": self.left_out.to_json(),
        }


def new_candles(
    lake: CandleLake,
    registry: ReleaseRegistry,
    interval: Interval,
    default_interval: str,
    quotes: Sequence[str],
    needed: int,
    now: datetime,
    listings: Listings | None = None,
) -> NewCandles:
    """Count the candle times of ``interval`` in the lake after those of the interval's newest release.

    The newest is the one whose candles reach furthest: a version may come from a clock that was ahead. It is
    looked for among the `MOST_READ` highest versions of the store and the promoted release, and further down only
    where those hold none of the interval. A release that cannot be read is passed over, promoted or not makes no
    difference: what was found worse is not tried again on the same candles. Times count, not candles, so a new
    coin's whole past is nothing new. What closes after ``now`` (UTC) is not counted, and a release that was
    trained on such candles does not tell its own. Raises `InvalidInput` for fewer than 1 ``needed``.
    """
    if needed < 1:
        raise InvalidInput(f"at least one new candle is asked for, not {needed}")
    until = interval.floor(now)
    manifest = _newest(registry, interval, default_interval, until)
    since = None if manifest is None else _last_candle(manifest, until)
    if manifest is None or since is None:
        return NewCandles(needed)
    found = lake.read(interval.name, since=since, until=until)
    times = asset_series(found, quotes, listings or Listings()).filter(pl.col("time") > since)["time"]
    return NewCandles(needed, times.n_unique(), manifest.release, since, not_closed(lake, interval, now))


def _newest(
    registry: ReleaseRegistry, interval: Interval, default_interval: str, until: datetime
) -> Manifest | None:
    found = [
        _of_interval(registry, version, interval) for version in _promoted(registry, interval, default_interval)
    ]
    for read, version in enumerate(reversed(registry.versions())):
        if read >= MOST_READ and any(found):
            break
        found.append(_of_interval(registry, version, interval))
    known = [manifest for manifest in found if manifest is not None]
    return max(
        known, key=lambda manifest: (_last_candle(manifest, until) or _NEVER, manifest.release), default=None
    )


def _promoted(registry: ReleaseRegistry, interval: Interval, default_interval: str) -> list[ReleaseVersion]:
    try:
        channel = registry.channel(interval.name, default_interval)
    except ReleaseRefused:
        return []
    return [] if channel is None else [channel.release]


def _of_interval(registry: ReleaseRegistry, version: ReleaseVersion, interval: Interval) -> Manifest | None:
    try:
        manifest = registry.manifest(version)
    except (ReleaseRefused, UnknownRelease):
        return None
    return manifest if manifest.interval == interval.name else None


def _last_candle(manifest: Manifest, until: datetime) -> datetime | None:
    """The open of the last candle trained on; ``None`` where that is not told, or is not before ``until``."""
    try:
        last = parse_time(manifest.training["candles"]["last"])
    except (KeyError, TypeError, ValueError, InvalidInput):
        return None
    return last if last < until else None
