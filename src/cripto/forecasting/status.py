"""What a service says of itself: what is served, how fresh it is, and what went wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cripto.domain.interval import Interval
from cripto.forecasting.windows import Windows

__all__ = ["CandleState", "Part", "Problem", "Refusal", "Status", "candle_state"]

_GRACE_SHARE = 10

Part = Literal["release", "candles", "listings", "cache"]
"""What can fail to be renewed: what is served, what it is served on, what exchanges say of it, and the copies."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A release that was not taken up, and why; or ``file``, a joblib of that version that belongs to none.

    ``release`` is empty where the file's name is not understood: it was never meant to be served.
    """

    release: str
    reason: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a part could last not be renewed."""

    part: Part
    error: Exception


@dataclass(frozen=True, slots=True)
class CandleState:
    """How fresh the candles are: closes (UTC) of the freshest and the stalest asset, and their ages in seconds.

    ``sample`` counts assets served from the bundled sample, which ends when it ends and is never behind.
    Retired assets count among ``assets`` and nowhere else.
    ``behind`` counts the other assets that miss at least one candle. ``stale`` is whether even the freshest of
    them has missed one, a tenth of an interval being granted to whoever collects. ``gapped`` counts assets that
    miss candles among their last ones, those that a forecast looks back on, and ``missing`` all these candles.
    """

    assets: int = 0
    newest_close: datetime | None = None
    oldest_close: datetime | None = None
    newest_age: float | None = None
    oldest_age: float | None = None
    sample: int = 0
    behind: int = 0
    stale: bool = False
    gapped: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """A service at one moment. Counts only rise. ``versions`` holds each model's, by name.

    ``refused`` is what would be served now, were it not refused, and the joblibs that were passed over.
    """

    interval: Interval
    release: str | None = None
    release_created: datetime | None = None
    models: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    loaded_at: datetime | None = None
    candles: CandleState = CandleState()
    refused: tuple[Refusal, ...] = ()
    problems: tuple[Problem, ...] = ()
    computations: int = 0
    refreshes: int = 0
    release_failures: int = 0
    candle_failures: int = 0


def candle_state(interval: Interval, windows: Windows | None, now: datetime) -> CandleState:
    """Sum up the candles of ``windows`` at ``now``."""
    if windows is None or not windows.last_opens:
        return CandleState()
    traded = [last for last in windows.last_candles if not last.retired]
    if not traded:
        return CandleState(assets=len(windows.last_candles))
    closes = {last.symbol: interval.close_of(last.opened) for last in traded}
    # one candle of a clock that was ahead hides neither how old the others are nor that no more come
    oldest, newest = min(closes.values()), max(_closed(closes.values(), now) or closes.values())
    sample = {last.symbol for last in traded if last.sample}
    followed = [close for symbol, close in closes.items() if symbol not in sample]
    due, grace = _closed(followed, now), interval.step / _GRACE_SHARE
    return CandleState(
        assets=len(windows.last_candles),
        newest_close=newest,
        oldest_close=oldest,
        newest_age=max(0.0, (now - newest).total_seconds()),
        oldest_age=max(0.0, (now - oldest).total_seconds()),
        sample=len(sample),
        behind=sum(interval.missed_since(close, now - interval.grace) > 0 for close in followed),
        stale=bool(due) and interval.missed_since(max(due), now - grace) > 0,
        gapped=sum(last.missing > 0 for last in traded),
        missing=sum(last.missing for last in traded),
    )


def _closed(closes: Iterable[datetime], now: datetime) -> list[datetime]:
    return [close for close in closes if close <= now]
