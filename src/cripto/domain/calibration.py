"""How a classifier's raw probability becomes the one that is served, as numbers in a release's manifest."""

from dataclasses import dataclass
from typing import Any, Final

from cripto.domain._numbers import check_within, field, number
from cripto.errors import InvalidInput

__all__ = ["LEAST_PROBABILITY", "Calibration"]

LEAST_PROBABILITY: Final = 0.001
"""No calibrated probability is below this, nor above one less this: no forecast of a market is certain."""

_METHOD: Final = "logistic"
_MOST: Final = 20.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt's form: ``1 / (1 + exp(-(shift + slope * logit(raw))))``, kept within `LEAST_PROBABILITY` of 0 and 1.

    ``slope`` is never negative, so a calibrated probability never falls while the raw one rises; 0 says the same
    of everything. Raises `InvalidInput` for numbers that are not finite or out of bounds.
    """

    shift: float
    slope: float

    def __post_init__(self) -> None:
        """Refuse what is no calibration."""
        check_within(self.shift, "the shift of a calibration", -_MOST, _MOST)
        check_within(self.slope, "the slope of a calibration", 0.0, _MOST)

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {"method": _METHOD, "shift": self.shift, "slope": self.slope}

    @classmethod
    def from_json(cls, value: Any) -> "Calibration":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed or of another method."""
        method = field(value, "method", "calibration")
        if method != _METHOD:
            raise InvalidInput(f"calibration by {str(method)[:40]!r} is not known here ({_METHOD} is)")
        return cls(
            number(field(value, "shift", "calibration"), "the shift of a calibration"),
            number(field(value, "slope", "calibration"), "the slope of a calibration"),
        )
