"""Scores of probabilities of a rise."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cripto.training.scores.resampling import Floats, Resampling, sums_by_day
from cripto.training.scores.rows import ScoredRows
from cripto.training.scores.skill import Skill, skill_of
from cripto.training.targets import rises

__all__ = ["BINS", "area_under_curve", "equal_mass_bins", "log_losses", "score_classifier"]

BINS: Final = 10
"""Bins of equal numbers of rows for the calibration error."""

_CERTAIN: Final = 1e-15
_CURVE_BINS: Final = 100

Bools = NDArray[np.bool_]


def score_classifier(
    rows: ScoredRows, probability: Floats, days: NDArray[np.intp], draws: Resampling
) -> tuple[Skill, dict[str, Any]]:
    """Skill (by the Brier score), and all scores with their intervals, of ``probability``, float64 (rows,).

    ``ece`` is the expected calibration error (Naeini et al. 2015) over `BINS` bins of equal mass: the mean
    distance, weighted by rows, between what a bin said and the share that rose. Its interval keeps the bins;
    chance alone lifts every draw's error, so it lies somewhat high. ``reliability`` shows the bins.
    """
    rose = rises(rows.actual)
    hits = rose.astype(float)
    models: dict[str, Floats] = {"model": probability, **rows.chances}
    columns = [np.ones(len(rows)), ((probability > 0.5) == rose).astype(float), log_losses(probability, rose)]
    columns += [(values - hits) ** 2 for values in models.values()]
    bin_of = equal_mass_bins(probability, BINS)
    gap = probability - hits
    bins = int(bin_of.max()) + 1
    columns += [np.where(bin_of == number, gap, 0.0) for number in range(bins)]
    daily = sums_by_day(days, draws.days, columns)
    total = daily.sum(axis=0)
    drawn = draws.sums(daily)

    place = {name: 3 + number for number, name in enumerate(models)}
    gaps = 3 + len(models)
    skill = skill_of(
        {name: total[place[name]] for name in models},
        {name: drawn[:, place[name]] for name in models},
        draws,
    )
    auc = area_under_curve(probability, rose)
    strongest = rows.chances[skill.baseline]

    def interval(column: int) -> list[float] | None:
        return draws.bounds(drawn[:, column] / drawn[:, 0])

    return skill, {
        "auc": auc,
        "brier": float(total[place["model"]] / total[0]),
        "log_loss": float(total[2] / total[0]),
        "ece": float(np.abs(total[gaps:]).sum() / total[0]),
        "accuracy": float(total[1] / total[0]),
        "prediction_deviation": float(probability.std()),
        "baseline": {
            "name": skill.baseline,
            "probability": float(strongest.mean()),
            "log_loss": float(log_losses(strongest, rose).mean()),
            "brier": float(total[place[skill.baseline]] / total[0]),
            "auc": 0.5,
            "accuracy": float(((strongest > 0.5) == rose).mean()),
        },
        "baselines": {
            name: {"brier": float(total[place[name]] / total[0]), **skill.against[name].to_json()}
            for name in rows.chances
        },
        "intervals": {
            "auc": _curve_interval(probability, rose, auc, days, draws),
            "brier": interval(place["model"]),
            "log_loss": interval(2),
            "ece": draws.bounds(np.abs(drawn[:, gaps:]).sum(axis=1) / drawn[:, 0]),
            "accuracy": interval(1),
            "skill": skill.interval,
        },
        "reliability": _reliability(probability, rose, bin_of),
    }


def log_losses(probability: Floats, rose: Bools) -> Floats:
    """Negative log likelihood of each row, in nats; certainty is taken as 1e-15 short of it, so it is finite."""
    clipped = np.clip(probability, _CERTAIN, 1 - _CERTAIN)
    return -np.where(rose, np.log(clipped), np.log1p(-clipped))


def equal_mass_bins(values: Floats, count: int) -> NDArray[np.intp]:
    """Bins of (nearly) equal numbers of rows, from the lowest value up, int (rows,); equal values share a bin.

    Fewer than ``count`` where values are few; numbers are then without holes.
    """
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - (counts + 1) / 2  # the middle rank of each value
    bins = np.minimum((before * count / len(values)).astype(np.intp), count - 1)
    _, dense = np.unique(bins, return_inverse=True)
    return dense.astype(np.intp)[place] if len(distinct) else dense.astype(np.intp)


def area_under_curve(score: Floats, rose: Bools) -> float | None:
    """P(a row that rose is scored above one that did not), ties count half (Mann-Whitney); null with one class."""
    positives = int(rose.sum())
    negatives = len(rose) - positives
    if not positives or not negatives:
        return None
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[rose].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _curve_interval(
    probability: Floats, rose: Bools, auc: float | None, days: NDArray[np.intp], draws: Resampling
) -> list[float] | None:
    """The area's interval from 100 bins of equal mass, rows in one bin counting as ties, moved to the exact area.

    Sorting all rows anew for each draw would cost minutes; with bins a draw is two short sums. What a hundredth
    of the rows counted as ties moves is below 1 / (2 * 100), much the same in every draw, and taken out again.
    """
    if auc is None or not draws.enough:
        return None
    bin_of = equal_mass_bins(probability, _CURVE_BINS)
    bins = int(bin_of.max()) + 1
    cell = days * bins + bin_of
    shape = (draws.days, bins)
    up = np.bincount(cell[rose], minlength=draws.days * bins).reshape(shape).astype(float)
    down = np.bincount(cell[~rose], minlength=draws.days * bins).reshape(shape).astype(float)
    coarse = _binned_area(up.sum(axis=0)[None], down.sum(axis=0)[None])[0]
    interval = draws.bounds(_binned_area(draws.sums(up), draws.sums(down)))
    return interval and [min(1.0, max(0.0, bound - float(coarse) + auc)) for bound in interval]


def _binned_area(up: Floats, down: Floats) -> Floats:
    below = np.cumsum(down, axis=1) - down / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        area: Floats = (up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return area


def _reliability(probability: Floats, rose: Bools, bin_of: NDArray[np.intp]) -> list[dict[str, Any]]:
    counts = np.bincount(bin_of)
    said = np.bincount(bin_of, weights=probability) / counts
    came = np.bincount(bin_of, weights=rose.astype(float)) / counts
    return [
        {"rows": int(count), "probability": float(p), "rose": float(share)}
        for count, p, share in zip(counts, said, came, strict=True)
    ]
