"""How far a price may land from a regressor's prediction, as numbers in a release's manifest."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from cripto.domain._numbers import check_within, field, items, number
from cripto.errors import InvalidInput

__all__ = ["LARGEST_SCALE", "LEVELS", "LOG_FLOOR", "SMALLEST_SCALE", "Ranges", "ScaleTerm"]

LEVELS: Final = (0.8, 0.95)
"""Shares of prices that ranges are to hold, narrowest first."""

LOG_FLOOR: Final = 1e-4
"""A feature counts as this where it is less, before its logarithm is taken: a price that stood still has one."""

SMALLEST_SCALE: Final = 1e-6
LARGEST_SCALE: Final = 1.0
"""Bounds of the expected size of a log return: a millionth, and a factor of e."""

_MOST_TERMS: Final = 64
_MOST_WEIGHT: Final = 100.0
_MOST_QUANTILE: Final = 100.0
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class ScaleTerm:
    """One term of the logarithm of the scale: ``weight`` times the feature, or, if ``log``, its logarithm."""

    feature: str
    weight: float
    log: bool

    def __post_init__(self) -> None:
        """Refuse what is no term."""
        if not 1 <= len(self.feature) <= _LONGEST_NAME:
            raise InvalidInput("a term of a range's scale names no feature")
        check_within(self.weight, "the weight of a range's term", -_MOST_WEIGHT, _MOST_WEIGHT)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of one regressor: at each of `LEVELS`, its log return plus and minus ``quantile * scale``.

    ``ln(scale) = intercept + sum of terms``, within `SMALLEST_SCALE` and `LARGEST_SCALE`: the size of the log
    return to be expected after such a window. ``quantiles`` stand in the order of `LEVELS`, positive and never
    falling, so that a narrower range lies inside a wider one. Raises `InvalidInput` for anything else.
    """

    intercept: float
    terms: tuple[ScaleTerm, ...]
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what gives no ranges, or ranges that cross."""
        check_within(self.intercept, "the intercept of a range's scale", -_MOST_WEIGHT, _MOST_WEIGHT)
        if len(self.terms) > _MOST_TERMS:
            raise InvalidInput(f"a range's scale has at most {_MOST_TERMS} terms")
        if len(set(self.features)) != len(self.terms):
            raise InvalidInput("a range's scale names a feature twice")
        if len(self.quantiles) != len(LEVELS):
            raise InvalidInput(f"a range has quantiles for {len(LEVELS)} levels, not {len(self.quantiles)}")
        for quantile in self.quantiles:
            check_within(quantile, "the quantile of a range", 0.0, _MOST_QUANTILE)
        if not self.quantiles[0] > 0 or any(wide < narrow for narrow, wide in pairwise(self.quantiles)):
            raise InvalidInput("the quantiles of a range are positive and do not fall as its level rises")

    @property
    def features(self) -> tuple[str, ...]:
        """The features the scale is made from."""
        return tuple(term.feature for term in self.terms)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "scale": {
                "intercept": self.intercept,
                "terms": [
                    {"feature": term.feature, "weight": term.weight, "log": term.log} for term in self.terms
                ],
            },
            "levels": [
                {"level": level, "quantile": quantile}
                for level, quantile in zip(LEVELS, self.quantiles, strict=True)
            ],
        }

    @classmethod
    def from_json(cls, value: Any) -> "Ranges":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed or of other levels."""
        scale = field(value, "scale", "ranges")
        levels = items(field(value, "levels", "ranges"), "the levels of a range", len(LEVELS))
        if tuple(field(item, "level", "ranges") for item in levels) != LEVELS:
            raise InvalidInput(f"ranges are for the levels {', '.join(map(str, LEVELS))}")
        terms = field(scale, "terms", "ranges")
        if not isinstance(terms, list) or len(terms) > _MOST_TERMS:
            raise InvalidInput(f"the terms of a range's scale are not 0 to {_MOST_TERMS} items")
        for term in terms:
            if not isinstance(field(term, "feature", "ranges"), str):
                raise InvalidInput("a term of a range's scale names no feature")
            if not isinstance(field(term, "log", "ranges"), bool):
                raise InvalidInput("a term of a range's scale says neither true nor false to its logarithm")
        return cls(
            number(field(scale, "intercept", "ranges"), "the intercept"),
            tuple(
                ScaleTerm(
                    term["feature"],
                    number(field(term, "weight", "ranges"), "a term's weight"),
                    term["log"],
                )
                for term in terms
            ),
            tuple(number(field(item, "quantile", "ranges"), "a quantile") for item in levels),
        )
