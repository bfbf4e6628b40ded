"""A forecast: a pure function of (release, asset, candles up to the last closed one), as a value."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cripto.domain.interval import Interval

__all__ = [
    "ClassifierForecast",
    "Forecast",
    "ModelForecast",
    "PriceRange",
    "Provenance",
    "RegressorForecast",
    "Situacao",
    "situacao_of",
    "state_at",
]

Situacao = Literal["atual", "atrasado", "amostra", "retirado"]


def situacao_of(missed: int, *, sample: bool) -> Situacao:
    """The state of candles of which ``missed`` have closed and are not there; a sample ended when it ended."""
    if sample:
        return "amostra"
    return "atrasado" if missed else "atual"


def state_at(situacao: Situacao, closed: datetime, interval: Interval, now: datetime) -> tuple[Situacao, int]:
    """The state at ``now``, and how many candles have closed since ``closed``; a clock behind it counts none."""
    missed = interval.missed_since(closed, now)
    if situacao == "retirado":
        return situacao, missed
    return situacao_of(missed, sample=situacao == "amostra"), missed


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Between which prices the target's is to lie with probability ``level``; the prediction is among them."""

    level: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RegressorForecast:
    """What one regressor says: the price at the target time, in the quote, and the simple return to it.

    ``ranges`` are narrowest first, each inside the next; none where the release knows none.
    """

    name: str
    version: str
    price: float
    change: float
    ranges: tuple[PriceRange, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassifierForecast:
    """What one classifier says: P(rises), and 1 exactly when it is above 0.5, else 0."""

    name: str
    version: str
    probability: float
    calibrated: bool

    @property
    def rises(self) -> int:
        """The class that follows from the probability."""
        return int(self.probability > 0.5)


ModelForecast = RegressorForecast | ClassifierForecast


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the input came from: its source, its state, closed candles missed, and the window's SHA-256.

    ``pair`` is the multiple it was normalised from, if it was; ``factor`` of the asset make one unit of it.
    """

    source: str
    situacao: Situacao
    missed: int
    window: str
    pair: str | None = None
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """One asset's forecast, made at the close of its last candle (``closed``) for ``target``, the next close.

    ``novelty`` is the share of training rows that were less unlike the others than this one, 0 to 1; ``None``
    where the release does not know.
    """

    asset: str
    quote: str
    interval: str
    opened: datetime
    closed: datetime
    price: float
    target: datetime
    release: str
    models: tuple[ModelForecast, ...]
    provenance: Provenance
    novelty: float | None = None
