"""What a fetch did, series by series."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cripto.domain.clock import rfc3339
from cripto.errors import CallerError, CriptoError, RetryLater

__all__ = ["Doubted", "FetchReport", "Progress", "SeriesOutcome", "remedy"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is: series done of all, candles told and written, and which exchanges are left alone."""

    done: int
    series: int
    candles: int
    written: int
    resting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubted:
    """A bar that was doubted: ``outcome`` is ``confirmed``, ``replaced``, ``held_back`` or ``unconfirmed``."""

    time: datetime
    outcome: str
    detail: str


@dataclass(slots=True)
class SeriesOutcome:
    """What became of one series.

    ``sources``: candles accepted, by the exchange that told them. ``rules``: rows quarantined, by the rule broken.
    ``failures``: exchange and error, of those that were asked in vain; ``complete``: one was asked to the end, so
    all that is known of the series has arrived. ``last``: the open of its last candle.
    """

    symbol: str
    quote: str
    interval: str
    sources: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    doubted: list[Doubted] = field(default_factory=list)
    failures: list[tuple[str, CriptoError]] = field(default_factory=list)
    complete: bool = False
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    last: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Symbol, quote and interval."""
        return self.symbol, self.quote, self.interval

    @property
    def remedy(self) -> str | None:
        """What helps a series that is not complete: ``retry``, ``operator`` or ``caller``; ``None`` if it is."""
        if self.complete:
            return None
        found = {remedy(error) for _, error in self.failures}
        return next((name for name in ("retry", "operator", "caller") if name in found), "retry")

    @property
    def held_back(self) -> int:
        """Bars that were doubted, and neither confirmed nor replaced."""
        return sum(item.outcome == "held_back" for item in self.doubted)

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON values."""
        return {
            "symbol": self.symbol,
            "quote": self.quote,
            "interval": self.interval,
            "complete": self.complete,
            "sources": dict(self.sources),
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "quarantined": dict(self.rules),
            "doubted": [
                {"time": rfc3339(item.time), "outcome": item.outcome, "detail": item.detail}
                for item in self.doubted
            ],
            "failures": [
                {"exchange": exchange, "remedy": remedy(error), "reason": str(error)}
                for exchange, error in self.failures
            ],
            "remedy": self.remedy,
            "last": rfc3339(self.last) if self.last else None,
        }


@dataclass(slots=True)
class FetchReport:
    """A whole fetch. ``exchanges``: lists that could not be read; ``unknown``: assets that nobody lists.

    ``interrupted``: it was told to stop; what had arrived was written. ``upserts``: how often it was written.
    """

    outcomes: list[SeriesOutcome] = field(default_factory=list)
    unknown: Sequence[str] = ()
    exchanges: Mapping[str, CriptoError] = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0
    upserts: int = 0

    @property
    def failed(self) -> list[SeriesOutcome]:
        """Series of which something is missing that may yet be had."""
        return [item for item in self.outcomes if not item.complete]

    @property
    def unreached(self) -> list[SeriesOutcome]:
        """Series that are not complete through no fault of an exchange: it was told to stop before."""
        return [item for item in self.failed if self.interrupted and not item.failures]

    @property
    def empty(self) -> list[SeriesOutcome]:
        """Series that were asked to the end, and of which there is no candle, here or there."""
        return [item for item in self.outcomes if item.complete and item.last is None and not item.rules]

    def remedies(self) -> Iterator[str]:
        """What helps, for each series that is not complete, list that was not read and asset nobody lists."""
        yield from (item.remedy for item in self.outcomes if item.remedy is not None)
        yield from ("retry" for error in self.exchanges.values() if isinstance(error, RetryLater))
        yield from ("retry" for _ in range(self.interrupted))
        yield from ("caller" for _ in self.unknown)

    def total(self, name: str) -> int:
        """The sum over all series of ``inserted``, ``updated``, ``unchanged`` or ``held_back``."""
        return sum(getattr(item, name) for item in self.outcomes)

    @property
    def rules(self) -> Counter[str]:
        """Rows quarantined, by rule."""
        return sum((item.rules for item in self.outcomes), Counter())

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "series": [item.to_json() for item in sorted(self.outcomes, key=lambda item: item.key)],
            "inserted": self.total("inserted"),
            "updated": self.total("updated"),
            "unchanged": self.total("unchanged"),
            "held_back": self.total("held_back"),
            "quarantined": dict(self.rules),
            "failed": len(self.failed),
            "unknown": list(self.unknown),
            "exchanges": {
                name: {"remedy": remedy(error), "reason": str(error)} for name, error in self.exchanges.items()
            },
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "upserts": self.upserts,
        }


def remedy(error: CriptoError) -> str:
    """``retry``, ``operator`` or ``caller``."""
    if isinstance(error, RetryLater):
        return "retry"
    return "caller" if isinstance(error, CallerError) else "operator"
