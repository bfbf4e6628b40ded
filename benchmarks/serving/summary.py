"""Medians and ratios. Machines are noisy, so two figures are compared round by round before a median is taken."""

from collections.abc import Sequence
from statistics import median

from benchmarks.serving.outcome import Unmeasured

__all__ = ["median_of", "percentile", "ratio_of_rounds"]


def median_of(values: Sequence[float]) -> float:
    """The median; raise `Unmeasured` where there is no value."""
    if not values:
        raise Unmeasured("there is nothing to take a median of")
    return float(median(values))


def ratio_of_rounds(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median, over rounds, of one figure divided by the other of the same round; raise `Unmeasured`."""
    if len(ones) != len(others):
        raise Unmeasured(f"{len(ones)} rounds cannot be compared with {len(others)}")
    if any(other <= 0 for other in others):
        raise Unmeasured("a figure that others are compared with is not above zero")
    return median_of([one / other for one, other in zip(ones, others, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least ``share`` (0 to 1) of the values do not exceed (nearest rank)."""
    if not values or not 0 < share <= 1:
        raise Unmeasured(f"there is no {share:.0%} percentile of {len(values)} values")
    rank = -int(-share * len(values) // 1)
    return sorted(values)[max(rank, 1) - 1]
