"""What metrics tell of a service beside its requests, of one process or of several as one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cripto.forecasting import Status

__all__ = ["NOTHING", "Counts", "Figures", "combined", "figures_of", "total"]


class Counts(NamedTuple):
    """What only rises."""

    computations: int = 0
    refreshes: int = 0
    release_failures: int = 0
    candle_failures: int = 0


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Figures:
    """One process's, or those of several. Times are seconds since 1970.

    ``releases`` has the version and interval of each release that is served: more than one while not all processes
    have taken up the last.
    """

    models: int = 0
    releases: tuple[tuple[str, str], ...] = ()
    created: float | None = None
    refused: int = 0
    newest_close: float | None = None
    oldest_close: float | None = None
    assets: int = 0
    behind: int = 0
    counts: Counts = NOTHING


def figures_of(status: Status) -> Figures:
    """The figures of one service."""
    candles, created = status.candles, status.release_created
    releases: tuple[tuple[str, str], ...] = ()
    if status.release is not None and created is not None:
        releases = ((status.release, status.interval.name),)
    return Figures(
        models=len(status.models),
        releases=releases,
        created=None if created is None else created.timestamp(),
        refused=len(status.refused),
        newest_close=None if candles.newest_close is None else candles.newest_close.timestamp(),
        oldest_close=None if candles.oldest_close is None else candles.oldest_close.timestamp(),
        assets=candles.assets,
        behind=candles.behind,
        counts=Counts(status.computations, status.refreshes, status.release_failures, status.candle_failures),
    )


def combined(every: Sequence[Figures]) -> Figures:
    """The figures of several processes as those of one service: counts add up, of anything else the worst."""
    return Figures(
        models=min((one.models for one in every), default=0),
        releases=tuple(sorted({release for one in every for release in one.releases})),
        created=_oldest(one.created for one in every),
        refused=max((one.refused for one in every), default=0),
        newest_close=_oldest(one.newest_close for one in every),
        oldest_close=_oldest(one.oldest_close for one in every),
        assets=min((one.assets for one in every), default=0),
        behind=max((one.behind for one in every), default=0),
        counts=total([one.counts for one in every]),
    )


def total(every: Sequence[Counts]) -> Counts:
    """Counts added up, each for itself."""
    return Counts(*map(sum, zip(*every, strict=True)))


def _oldest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)
