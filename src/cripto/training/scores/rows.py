"""Rows to score, with all that scores need to know of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.interval import Interval
from cripto.domain.model_name import tipo_of
from cripto.errors import ModelRefused
from cripto.training.dataset import Dataset
from cripto.training.scores.reference import Reference, reference_of, seasonal
from cripto.training.scores.regimes import loudness, market_direction, terciles
from cripto.training.scores.resampling import Floats
from cripto.training.walk_forward import Predictions

__all__ = ["LOUDNESS", "MARKET", "ScoredRows", "rows_of_folds", "rows_of_parts"]

LOUDNESS = ("calm", "middling", "loud")
"""Terciles of the trailing volatility."""

MARKET = ("falling", "rising")
"""Where the market went over the last days."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Rows sorted by time, then asset; row ``i`` of every field is the same candle.

    ``time`` is the UTC open, ``actual`` the log return that came, ``part`` the stretch of time the row belongs to
    (1 to ``parts``). ``predicted`` holds by model float64 (rows,). ``returns`` are the baselines' log returns,
    ``chances`` their P(rises), by baseline. ``scale`` is what MASE divides by. ``loud`` and ``market`` number
    `LOUDNESS` and `MARKET`, -1 where unknown. ``unseasonal`` counts rows whose asset had none a season ago, which
    that baseline forecasts to stay. ``group`` numbers ``groups``, if there is anything else to tell rows apart by.
    """

    interval: Interval
    time: NDArray[np.datetime64]
    symbol: pl.Series
    actual: Floats
    part: NDArray[np.int64]
    parts: int
    predicted: Mapping[str, Floats]
    returns: Mapping[str, Floats]
    chances: Mapping[str, Floats]
    scale: Floats
    loud: NDArray[np.int64]
    market: NDArray[np.int64]
    unseasonal: int
    groups: tuple[str, ...] = ()
    group: NDArray[np.int64] | None = None
    half_widths: Mapping[str, Floats] = field(default_factory=dict)
    """By regressor that has ranges, their half widths as log returns, float64 (levels, rows); NaN for no range."""

    def __len__(self) -> int:
        return len(self.actual)

    def __post_init__(self) -> None:
        """Refuse a model that says what is no number, or no probability."""
        for name, values in self.predicted.items():
            bad = ~np.isfinite(values)
            if tipo_of(name) == "classifier":
                bad |= (values < 0) | (values > 1)
            if bad.any():
                what = "a probability" if tipo_of(name) == "classifier" else "a number"
                raise ModelRefused(name, f"what it says of {int(bad.sum())} of {len(values)} rows is not {what}")


def rows_of_folds(
    dataset: Dataset, predictions: Predictions, interval: Interval, half_widths: Mapping[str, Floats] | None = None
) -> ScoredRows:
    """The rows that a walk-forward tested, each with the baselines of its own fold's training part.

    ``half_widths`` are of ranges, for all rows of ``dataset``: see `ScoredRows`.
    """
    references = {
        fold.number: reference_of(dataset.log_return[fold.train], dataset.symbol[fold.train])
        for fold in predictions.folds
    }
    return _rows(
        dataset, predictions.tested, predictions.values, predictions.fold, references, interval, half_widths or {}
    )


def rows_of_parts(
    dataset: Dataset,
    chosen: NDArray[np.bool_],
    predicted: Mapping[str, Floats],
    reference: Reference | None,
    parts: int,
    interval: Interval,
    groups: tuple[str, ...] = (),
    group: NDArray[np.int64] | None = None,
    half_widths: Mapping[str, Floats] | None = None,
) -> ScoredRows:
    """The ``chosen`` rows, bool (rows,), cut into ``parts`` stretches of equal numbers of candle times.

    ``predicted``, ``group`` and ``half_widths`` hold values for all rows; those not chosen are not looked at.
    Without a ``reference``, which releases of earlier versions do not name, there is no drift and no base rate,
    and MASE is measured on these very rows.
    """
    distinct, place = np.unique(dataset.time[chosen], return_inverse=True)
    part = np.zeros(len(dataset), dtype=np.int64)
    part[chosen] = 1 + place * parts // max(1, len(distinct))
    references = dict.fromkeys(range(1, parts + 1), reference)
    rows = _rows(dataset, chosen, predicted, part, references, interval, half_widths or {})
    return replace(rows, groups=groups, group=None if group is None else group[chosen])


def _rows(
    dataset: Dataset,
    chosen: NDArray[np.bool_],
    predicted: Mapping[str, Floats],
    part: NDArray[np.int64],
    references: Mapping[int, Reference | None],
    interval: Interval,
    half_widths: Mapping[str, Floats],
) -> ScoredRows:
    # regimes and seasons look back beyond the first row that is scored, so they are worked out on all rows
    season = seasonal(dataset.time, dataset.symbol, dataset.log_return, interval)[chosen]
    loud = loudness(dataset.time, dataset.symbol, dataset.log_return)[chosen]
    market = market_direction(dataset.time, dataset.log_return)[chosen]
    symbol = dataset.symbol.filter(pl.Series(chosen))
    actual, part = dataset.log_return[chosen], part[chosen]
    zero, half = np.zeros(len(actual)), np.full(len(actual), 0.5)
    drift, rate, fair = zero.copy(), half.copy(), half.copy()
    scale = np.full(len(actual), np.abs(actual).mean() or 1.0)
    for number, reference in references.items():
        if reference is not None:
            here = part == number
            drift[here], rate[here] = reference.drift, reference.base_rate
            fair[here] = reference.fair_share
            scale[here] = reference.scales(symbol.filter(pl.Series(here)))
    named = all(reference is not None for reference in references.values())
    return ScoredRows(
        interval=interval,
        time=dataset.time[chosen],
        symbol=symbol,
        actual=actual,
        part=part,
        parts=len(references),
        predicted={name: values[chosen] for name, values in predicted.items()},
        returns={"last_price": zero, **({"drift": drift} if named else {}), "seasonal": np.nan_to_num(season)},
        chances={**({"base_rate": rate, "fair_game": fair} if named else {}), "coin": half},
        scale=scale,
        loud=terciles(loud),
        market=market,
        unseasonal=int(np.isnan(season).sum()),
        half_widths={name: values[:, chosen] for name, values in half_widths.items()},
    )
