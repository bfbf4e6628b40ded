"""How unlike the rows a release was fitted on a row of features is, as numbers in its manifest."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from cripto.domain._numbers import check_within, field, items, number
from cripto.errors import InvalidInput

__all__ = ["FARTHEST", "Novelty"]

FARTHEST: Final = 10.0
"""A feature that lies further than this many spreads from its centre counts as this far."""

_MOST_FEATURES: Final = 1000
_MOST_KNOTS: Final = 200
_MOST: Final = 1e9
_LEAST_SPREAD: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Novelty:
    """Distance from the training rows, and which share of them lies nearer.

    A row's distance is the root of the mean over ``features`` of its squared distances from ``centers`` in units
    of ``spreads``, each at most `FARTHEST`. ``knots`` are pairs (distance, share of training rows at most so
    far), both rising, the last share 1; between them the share is interpolated. Raises `InvalidInput` for
    anything else.
    """

    features: tuple[str, ...]
    centers: tuple[float, ...]
    spreads: tuple[float, ...]
    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        """Refuse what gives no distance or no share."""
        count = len(self.features)
        if not all(isinstance(name, str) for name in self.features):
            raise InvalidInput("novelty names features by text")
        if not 1 <= count <= _MOST_FEATURES or len(set(self.features)) != count:
            raise InvalidInput("novelty names no feature, too many, or one twice")
        if len(self.centers) != count or len(self.spreads) != count:
            raise InvalidInput("novelty does not hold one centre and one spread a feature")
        for center in self.centers:
            check_within(center, "a centre of novelty", -_MOST, _MOST)
        for spread in self.spreads:
            check_within(spread, "a spread of novelty", _LEAST_SPREAD, _MOST)
        if not 2 <= len(self.knots) <= _MOST_KNOTS:
            raise InvalidInput(f"novelty has 2 to {_MOST_KNOTS} knots")
        for distance, share in self.knots:
            check_within(distance, "a distance of novelty", 0.0, FARTHEST)
            check_within(share, "a share of novelty", 0.0, 1.0)
        for (nearer, less), (further, more) in pairwise(self.knots):
            if further <= nearer or more <= less:
                raise InvalidInput("the knots of novelty do not rise")
        if self.knots[-1][1] != 1.0:
            raise InvalidInput("the last knot of novelty is not at share 1")

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "features": [
                {"name": name, "center": center, "spread": spread}
                for name, center, spread in zip(self.features, self.centers, self.spreads, strict=True)
            ],
            "knots": [list(knot) for knot in self.knots],
        }

    @classmethod
    def from_json(cls, value: Any) -> "Novelty":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        features = items(field(value, "features", "novelty"), "the features of novelty", _MOST_FEATURES)
        knots = items(field(value, "knots", "novelty"), "the knots of novelty", _MOST_KNOTS)
        if not all(isinstance(knot, list) and len(knot) == 2 for knot in knots):
            raise InvalidInput("a knot of novelty is not a pair")
        return cls(
            tuple(field(item, "name", "novelty") for item in features),
            tuple(number(field(item, "center", "novelty"), "a centre") for item in features),
            tuple(number(field(item, "spread", "novelty"), "a spread") for item in features),
            tuple(
                (
                    number(distance, "a distance"),
                    number(share, "a share"),
                )
                for distance, share in knots
            ),
        )
