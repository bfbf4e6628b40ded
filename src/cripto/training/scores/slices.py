"""Skill in parts of the rows: by fold, by asset, by what the market was like."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import rfc3339
from cripto.domain.model_name import tipo_of
from cripto.training.dataset import to_datetime
from cripto.training.scores.classifier import area_under_curve
from cripto.training.scores.resampling import Floats, Resampling, day_numbers, sums_by_day
from cripto.training.scores.rows import LOUDNESS, MARKET, ScoredRows
from cripto.training.targets import rises

__all__ = ["Losses", "losses_of", "slices"]

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Losses:
    """A model's losses row by row beside those of its strongest baseline, float64 (rows,)."""

    model: Floats
    baseline: Floats


def losses_of(rows: ScoredRows, name: str, baseline: str) -> Losses:
    """Squared errors of the model called ``name`` and of ``baseline``; of probabilities they are Brier's."""
    predicted = rows.predicted[name]
    if tipo_of(name) == "regressor":
        return Losses((predicted - rows.actual) ** 2, (rows.returns[baseline] - rows.actual) ** 2)
    rose = rises(rows.actual).astype(float)
    return Losses((predicted - rose) ** 2, (rows.chances[baseline] - rose) ** 2)


def slices(rows: ScoredRows, losses: Mapping[str, Losses], seed: int) -> dict[str, dict[str, Any]]:
    """By model: ``parts``, a list in order of time; ``assets`` and ``regimes``, by name.

    Each entry has rows, days, the model's loss (``rmse`` or ``brier``), its skill against the baseline that is
    strongest on all rows, and the skill's interval. Where days are few, ``few`` is true and the interval null.
    """
    found: dict[str, dict[str, Any]] = {name: {"parts": [], "assets": {}, "regimes": {}} for name in losses}
    for number in range(1, rows.parts + 1):
        chosen = np.flatnonzero(rows.part == number)
        for name, value in _entries(rows, losses, chosen, seed).items():
            found[name]["parts"].append({"number": number, **_span(rows, chosen), **value})
    for kind, groups in (("assets", _assets(rows)), ("regimes", _regimes(rows))):
        for label, chosen in groups:
            for name, value in _entries(rows, losses, chosen, seed).items():
                found[name][kind][label] = value
    return found


def _entries(
    rows: ScoredRows, losses: Mapping[str, Losses], chosen: Places, seed: int
) -> dict[str, dict[str, Any]]:
    day, days = day_numbers(rows.time[chosen])
    draws = Resampling(days, seed)
    columns = [column[chosen] for loss in losses.values() for column in (loss.model, loss.baseline)]
    daily = sums_by_day(day, days, columns)
    drawn = draws.sums(daily) if draws.enough else None
    rose = rises(rows.actual[chosen])
    entries: dict[str, dict[str, Any]] = {}
    for place, name in enumerate(losses):
        loss, baseline = (float(column) for column in daily[:, 2 * place : 2 * place + 2].sum(axis=0))
        interval = None
        if drawn is not None and baseline > 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                interval = draws.bounds(1 - drawn[:, 2 * place] / drawn[:, 2 * place + 1])
        average = loss / len(chosen) if len(chosen) else 0.0
        entry: dict[str, Any] = {"rows": len(chosen), "days": days, "few": not draws.enough}
        if tipo_of(name) == "regressor":
            entry["rmse"] = float(np.sqrt(average))
        else:
            entry |= {"brier": average, "auc": area_under_curve(rows.predicted[name][chosen], rose)}
        entries[name] = {
            **entry,
            "skill": 1 - loss / baseline if baseline > 0 else None,
            "skill_interval": interval,
        }
    return entries


def _span(rows: ScoredRows, chosen: Places) -> dict[str, str | None]:
    if not len(chosen):
        return {"first": None, "last": None}
    return {
        "first": rfc3339(to_datetime(rows.time[chosen[0]])),
        "last": rfc3339(to_datetime(rows.time[chosen[-1]])),
    }


def _assets(rows: ScoredRows) -> Iterator[tuple[str, Places]]:
    places = pl.DataFrame({"symbol": rows.symbol.cast(pl.String)}).with_row_index("place")
    for symbol, group in places.group_by("symbol").agg("place").sort("symbol").iter_rows():
        yield symbol, np.array(group, dtype=np.intp)


def _regimes(rows: ScoredRows) -> Iterator[tuple[str, Places]]:
    for number, label in enumerate(LOUDNESS):
        yield f"volatility: {label}", np.flatnonzero(rows.loud == number)
    for number, label in enumerate(MARKET):
        yield f"market: {label}", np.flatnonzero(rows.market == number)
    if rows.group is not None:
        for number, label in enumerate(rows.groups):
            yield f"group: {label}", np.flatnonzero(rows.group == number)
    years = rows.time.astype("datetime64[Y]").astype(np.int64) + 1970
    for year in np.unique(years):
        yield f"year: {year}", np.flatnonzero(years == year)
