"""How many prices ranges held: in all, and in each year, fold and third of the volatility known before."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.ranges import LEVELS

__all__ = ["DRAWS", "FEW_DAYS", "TERCILES", "coverage"]

TERCILES: Final = ("calm", "usual", "wild")
"""Thirds of the rows by trailing volatility, calmest first."""

FEW_DAYS: Final = 30
"""A group of rows on fewer days than this says little: it is marked, and has no interval."""

DRAWS: Final = 1000
_SEED: Final = 20250729
_TAILS: Final = (2.5, 97.5)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def coverage(
    log_return: Floats,
    predicted: Floats,
    half_widths: Floats,
    time: NDArray[np.datetime64],
    volatility: Floats,
    fold: NDArray[np.int64] | None = None,
    levels: Sequence[float] = LEVELS,
) -> dict[str, Any]:
    """Coverage of the ranges ``predicted`` plus and minus ``half_widths`` (levels, rows); JSON values, never NaN.

    ``volatility`` is what was known at each row; its terciles are those of the rows given. Rows without a range
    (NaN) are left out and counted. Per level: ``coverage`` with the share ``above`` and ``below``, ``interval``,
    95 %, from a circular block bootstrap over UTC days (days of all coins are drawn together, in blocks of twice
    the cube root of their number), and the same for each year, tercile and fold. ``few`` marks a group of fewer
    than `FEW_DAYS` days. Null where there are no rows.
    """
    ranged = np.isfinite(half_widths).all(axis=0) & np.isfinite(predicted)
    error, day = (log_return - predicted)[ranged], time[ranged].astype("datetime64[D]")
    groups = list(_groups(time[ranged], volatility[ranged], None if fold is None else fold[ranged]))
    found: dict[str, Any] = {"rows": int(ranged.sum()), "without_range": int((~ranged).sum()), "levels": []}
    for level, width in zip(levels, half_widths[:, ranged], strict=True):
        above, below = error > width, error < -width
        told: dict[str, Any] = {"level": level, **_shares(above, below, day)}
        for kind, name, rows in groups:
            told.setdefault(kind, {})[name] = _shares(above[rows], below[rows], day[rows])
        found["levels"].append(told)
    return found


def _groups(
    time: NDArray[np.datetime64], volatility: Floats, fold: NDArray[np.int64] | None
) -> Iterator[tuple[str, str, Flags]]:
    years = time.astype("datetime64[Y]")
    for year in np.unique(years):
        yield "year", str(year), years == year
    if len(volatility):
        tercile = np.searchsorted(np.quantile(volatility, (1 / 3, 2 / 3)), volatility)
        for place, name in enumerate(TERCILES):
            yield "volatility", name, tercile == place
    if fold is not None:
        for number in np.unique(fold):
            yield "fold", str(number), fold == number


def _shares(above: Flags, below: Flags, day: NDArray[np.datetime64]) -> dict[str, Any]:
    rows = len(above)
    if not rows:
        return {
            "rows": 0,
            "days": 0,
            "few": True,
            "coverage": None,
            "above": None,
            "below": None,
            "interval": None,
        }
    days, place = np.unique(day, return_inverse=True)
    few = len(days) < FEW_DAYS
    return {
        "rows": rows,
        "days": len(days),
        "few": few,
        "coverage": float(1 - (above | below).mean()),
        "above": float(above.mean()),
        "below": float(below.mean()),
        "interval": None if few else _interval(~(above | below), place, len(days)),
    }


def _interval(held: Flags, day: NDArray[np.intp], days: int) -> list[float]:
    """A 95 % interval of the share of rows held, from blocks of days; a day of many coins is drawn as one."""
    length = max(1, round(2 * days ** (1 / 3)))
    sums = np.vstack([np.bincount(day, weights=held, minlength=days), np.bincount(day, minlength=days)])
    circle = np.cumsum(np.hstack([np.zeros((2, 1)), sums, sums[:, :length]]), axis=1)
    blocks = circle[:, length : length + days] - circle[:, :days]
    starts = np.random.default_rng(_SEED).integers(days, size=(DRAWS, -(-days // length)))
    held_in, rows_in = blocks[:, starts].sum(axis=2)
    low, high = np.percentile(held_in / rows_in, _TAILS)
    return [float(low), float(high)]
