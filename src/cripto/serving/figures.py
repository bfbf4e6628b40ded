"""What metrics tell of the services beside their requests, of one process or of several as one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cripto.forecasting import Status

__all__ = ["NOTHING", "Counts", "Figures", "IntervalFigures", "combined", "figures_of", "total"]


class Counts(NamedTuple):
    """What only rises, of all intervals."""

    computations: int = 0
    refreshes: int = 0
    release_failures: int = 0
    candle_failures: int = 0


NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class IntervalFigures:
    """What is served of one interval. Times are seconds since 1970.

    ``releases`` has the version of each release that is served: more than one while not all processes have taken
    up the last.
    """

    interval: str
    models: int = 0
    releases: tuple[str, ...] = ()
    created: float | None = None
    newest_close: float | None = None
    oldest_close: float | None = None
    assets: int = 0
    behind: int = 0
    gapped: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """One process's, or those of several; ``intervals`` as they are served, the default one first."""

    intervals: tuple[IntervalFigures, ...] = ()
    refused: int = 0
    counts: Counts = NOTHING

    @property
    def models(self) -> int:
        """The models of the interval that has the fewest."""
        return min((one.models for one in self.intervals), default=0)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Figures":
        """Read what `dataclasses.asdict` gave; raise `TypeError`, `KeyError` or `ValueError` for another form."""
        intervals = tuple(
            IntervalFigures(**{**one, "releases": tuple(map(str, one["releases"]))}) for one in value["intervals"]
        )
        return cls(**{**value, "intervals": intervals, "counts": Counts(*value["counts"])})


def figures_of(statuses: Iterable[Status]) -> Figures:
    """The figures of the services that say this of themselves."""
    every = list(statuses)
    counts = [Counts(s.computations, s.refreshes, s.release_failures, s.candle_failures) for s in every]
    return Figures(
        intervals=tuple(map(_figures_of, every)),
        refused=sum(len(status.refused) for status in every),
        counts=total(counts),
    )


def _figures_of(status: Status) -> IntervalFigures:
    candles, created = status.candles, status.release_created
    return IntervalFigures(
        interval=status.interval.name,
        models=len(status.models),
        releases=() if status.release is None else (status.release,),
        created=None if created is None else created.timestamp(),
        newest_close=None if candles.newest_close is None else candles.newest_close.timestamp(),
        oldest_close=None if candles.oldest_close is None else candles.oldest_close.timestamp(),
        assets=candles.assets,
        behind=candles.behind,
        gapped=candles.gapped,
        missing=candles.missing,
    )


def combined(every: Sequence[Figures]) -> Figures:
    """The figures of several processes as those of one: counts add up, of anything else the worst."""
    names = dict.fromkeys(one.interval for figures in every for one in figures.intervals)
    return Figures(
        intervals=tuple(
            _worst([one for figures in every for one in figures.intervals if one.interval == name])
            for name in names
        ),
        refused=max((one.refused for one in every), default=0),
        counts=total([one.counts for one in every]),
    )


def total(every: Sequence[Counts]) -> Counts:
    """Counts added up, each for itself."""
    return Counts(*map(sum, zip(*every, strict=True)))


def _worst(every: Sequence[IntervalFigures]) -> IntervalFigures:
    """Of one interval, as several processes serve it."""
    return IntervalFigures(
        interval=every[0].interval,
        models=min(one.models for one in every),
        releases=tuple(sorted({release for one in every for release in one.releases})),
        created=_oldest(one.created for one in every),
        newest_close=_oldest(one.newest_close for one in every),
        oldest_close=_oldest(one.oldest_close for one in every),
        assets=min(one.assets for one in every),
        behind=max(one.behind for one in every),
        gapped=max(one.gapped for one in every),
        missing=max(one.missing for one in every),
    )


def _oldest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)
