"""How many prices the ranges held: in all, and in each year, part and third of the volatility known before."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cripto.domain.ranges import LEVELS
from cripto.training.scores.resampling import MINIMUM_DAYS, Floats, Resampling, day_numbers, sums_by_day
from cripto.training.scores.rows import LOUDNESS, ScoredRows

__all__ = ["coverage"]

Flags = NDArray[np.bool_]


def coverage(rows: ScoredRows, name: str, seed: int) -> list[dict[str, Any]] | None:
    """Coverage of the ranges of the regressor called ``name``; JSON values, never NaN; ``None`` where it has none.

    A range holds a price where ``rows.actual`` is no further from what was predicted than its half width. Rows
    without a range are left out and counted in ``without_range``. Each entry is of a ``level``: the share
    ``covered``, those ``above`` and ``below``, ``width`` (the mean half width, a log return) and the 95 %
    ``interval`` of the share covered, over days drawn again; the same again by ``years``, ``loudness`` (terciles
    of the trailing volatility) and ``parts``. ``few`` marks a group on too few days, whose interval is null.
    """
    half_widths = rows.half_widths.get(name)
    if half_widths is None:
        return None
    ranged = np.isfinite(half_widths).all(axis=0)
    if not ranged.any():
        return None
    error = (rows.actual - rows.predicted[name])[ranged]
    groups = [(kind, label, chosen[ranged]) for kind, label, chosen in _groups(rows)]
    without = int((~ranged).sum())
    return [
        {"level": level, "without_range": without, **_level(error, width, rows.time[ranged], groups, seed)}
        for level, width in zip(LEVELS, half_widths[:, ranged], strict=True)
    ]


def _groups(rows: ScoredRows) -> Iterator[tuple[str, str, Flags]]:
    years = rows.time.astype("datetime64[Y]")
    for year in np.unique(years):
        yield "years", str(year), years == year
    for place, label in enumerate(LOUDNESS):
        yield "loudness", label, rows.loud == place
    for number in range(1, rows.parts + 1):
        yield "parts", str(number), rows.part == number


def _level(
    error: Floats,
    width: Floats,
    time: NDArray[np.datetime64],
    groups: list[tuple[str, str, Flags]],
    seed: int,
) -> dict[str, Any]:
    above, below = error > width, error < -width
    found = _shares(above, below, width, time, seed)
    for kind, label, chosen in groups:
        if chosen.any():
            entry = _shares(above[chosen], below[chosen], width[chosen], time[chosen], seed)
            found.setdefault(kind, {})[label] = entry
    return found


def _shares(above: Flags, below: Flags, width: Floats, time: NDArray[np.datetime64], seed: int) -> dict[str, Any]:
    day, days = day_numbers(time)
    held = (~(above | below)).astype(np.float64)
    draws = Resampling(days, seed)
    interval = None
    if draws.enough:
        drawn = draws.sums(sums_by_day(day, days, [held, np.ones_like(held)]))
        interval = draws.bounds(drawn[:, 0] / drawn[:, 1])
    return {
        "rows": len(held),
        "days": days,
        "few": days < MINIMUM_DAYS,
        "covered": float(held.mean()),
        "above": float(above.mean()),
        "below": float(below.mean()),
        "width": float(width.mean()),
        "interval": None if interval is None else [min(1.0, max(0.0, end)) for end in interval],
    }
