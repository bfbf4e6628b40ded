"""Whether the future leaks into what models see: candles cut at random times, and scores too good to be true."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl

from cripto.domain.clock import rfc3339
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.domain.proofs import LookAhead
from cripto.errors import TrainingRefused
from cripto.features import build_features
from cripto.training.targets import HORIZON, next_log_return

__all__ = ["AUC_LIMIT", "CUTS", "SKILL_LIMIT", "Builder", "listed", "look_ahead", "miracles", "refuse_miracles"]

Builder = Callable[[pl.DataFrame, FeatureSpec, Interval], pl.DataFrame]
"""What `cripto.features.build_features` is."""

CUTS: Final = 5
"""Times at which candles are cut unless told otherwise."""

SKILL_LIMIT: Final = 0.1
"""Skill that nobody has on the next candle of a coin: ten times what the best public forecasts claim."""

AUC_LIMIT: Final = 0.65
"""The same for telling rises from falls; public live feeds hover at 51 to 56 % of directions."""

_ASSETS: Final = 12
_CANDLES: Final = 1500
_PRICES: Final = ("open", "high", "low", "close")


def look_ahead(
    candles: pl.DataFrame,
    spec: FeatureSpec,
    interval: Interval,
    build: Builder = build_features,
    cuts: int = CUTS,
    seed: int = 0,
) -> LookAhead:
    """Prove that no feature and no target of a row changes when later candles are cut off, or come out otherwise.

    ``candles`` holds one series per symbol, in any order. Up to 12 of them and their last 1,500 candles are
    looked at; each of ``cuts`` times drawn by ``seed`` is tried twice, once without any later candle and once
    with every later price and volume replaced by invented ones. A target is known a candle later, so those of the
    last `HORIZON` rows before a cut are left out.

    Raises `TrainingRefused` naming the features that see the future, and `InvalidInput` for candles that the
    builder refuses. Where no row has features, there is nothing to compare: ``rows`` is 0.
    """
    random = np.random.default_rng(seed)
    chosen = _some(candles, random)
    whole = _table(chosen, spec, interval, build)
    times = whole.drop_nulls(list(spec.names))["time"].unique().sort()
    if times.is_empty():
        return LookAhead((), 0, 0, len(spec.names))
    places = np.sort(random.choice(len(times), size=min(cuts, len(times)), replace=False))
    rows = 0
    opens = times.gather(places.tolist()).to_list()
    for opened in opens:
        known = pl.col("time") <= opened
        expected = whole.filter(known)
        for changed in (chosen.filter(known), _otherwise(chosen, known, random)):
            found = _table(changed, spec, interval, build).filter(known)
            _compare(expected, found, spec, opened, interval)
        rows += len(expected.drop_nulls(list(spec.names)))
    return LookAhead(
        cuts=tuple(interval.close_of(opened) for opened in opens),
        assets=chosen["symbol"].n_unique(),
        rows=rows,
        features=len(spec.names),
    )


def refuse_miracles(models: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `TrainingRefused` for scores that only a leak explains: see `SKILL_LIMIT` and `AUC_LIMIT`.

    ``models`` are an evaluation's. The lower end of the strict interval of skill counts, or of the interval of
    AUC, so that a lucky short test refuses nothing.
    """
    found = miracles(models)
    if found:
        raise TrainingRefused(found[0])


def miracles(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What `refuse_miracles` would refuse ``models`` for, in words."""
    found = []
    for name, scores in models.items():
        skill, auc = scores["verdict_interval"], scores["intervals"].get("auc")
        if skill is not None and skill[0] > SKILL_LIMIT:
            found.append(_miracle(name, "skill", scores["skill"], skill[0], SKILL_LIMIT))
        elif auc is not None and auc[0] > AUC_LIMIT:
            found.append(_miracle(name, "AUC", scores["auc"], auc[0], AUC_LIMIT))
    return found


def _miracle(name: str, what: str, value: float, low: float, limit: float) -> str:
    return (
        f"{name} scores too well to be true: {what} {value:.3f}, surely above {low:.3f}, where {limit} is as much"
        " as anybody knows without the future; look for a leak in candles, features or targets"
    )


def _some(candles: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    # the longest series could stand for all, but a builder that mixes assets up shows with several only
    symbols = candles["symbol"].unique().sort().to_list()
    if len(symbols) > _ASSETS:
        symbols = [symbols[place] for place in np.sort(random.choice(len(symbols), _ASSETS, replace=False))]
    ordered = candles.filter(pl.col("symbol").is_in(symbols)).sort("symbol", "time")
    return ordered.group_by("symbol", maintain_order=True).tail(_CANDLES)


def _otherwise(candles: pl.DataFrame, known: pl.Expr, random: np.random.Generator) -> pl.DataFrame:
    """The same candles with all that is not ``known`` moved: still possible bars, at other prices."""
    factor = pl.Series("factor", np.exp(random.normal(0.0, 0.2, len(candles))))
    names = [*_PRICES, "volume"]
    return candles.with_columns(
        pl.when(known).then(pl.col(name)).otherwise(pl.col(name) * factor) for name in names
    )


def _table(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval, build: Builder) -> pl.DataFrame:
    return build(candles, spec, interval).join(
        next_log_return(candles, interval), on=["symbol", "time"], how="left", maintain_order="left"
    )


def _compare(
    expected: pl.DataFrame, found: pl.DataFrame, spec: FeatureSpec, opened: datetime, interval: Interval
) -> None:
    keys = ["symbol", "time"]
    if not expected.select(keys).equals(found.select(keys)):
        raise TrainingRefused(
            f"rows up to {rfc3339(opened)} come and go with candles after it: the future leaks in"
        )
    seeing = [name for name in spec.names if not expected[name].equals(found[name], null_equal=True)]
    target_known = pl.col("time") <= opened - interval.step * HORIZON
    targets = [table.filter(target_known)["log_return"] for table in (expected, found)]
    if not targets[0].equals(targets[1], null_equal=True):
        seeing.append("the target")
    if seeing:
        raise TrainingRefused(
            f"{listed(seeing)} of candles up to {rfc3339(opened)} change with candles after it:"
            " the future leaks in"
        )


def listed(names: Sequence[str]) -> str:
    """The first five of ``names``, and how many more there are."""
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
