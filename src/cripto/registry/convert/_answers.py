"""What is believed of a conversion that another process, or an earlier one, says it has made."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cripto.domain.model_name import Tipo

__all__ = ["LARGEST_DIFFERENCE", "Conversion", "believed", "checked_names"]

LARGEST_DIFFERENCE = 1e-6
"""How far a graph may be from its estimator: relative on the price, absolute on the probability."""

_PROOF = {"regressor": "price_relative", "classifier": "probability"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_MOST_NAMES = 200
_MOST_NUMBERS = 10


@dataclass(frozen=True, slots=True)
class Conversion:
    """A model as it is served, and the proof that it is the one that was trained.

    The graph takes ``features``, float64 [N, n_features], and gives one output, float64 [N, 1]: ``log_return``
    of a regressor, ``probability`` (of a rise) of a classifier. Any batch size and thread count give the same
    bits. ``parity`` holds the largest differences from scikit-learn on the probe rows: ``price_relative`` and
    ``log_return``, or ``probability``. ``estimator`` names the classes that were fitted, outermost first, and
    ``features`` the columns of a row in order.
    """

    onnx: bytes
    parity: dict[str, float]
    estimator: str
    features: tuple[str, ...]


def checked_names(names: Any) -> tuple[str, ...]:
    """The names of a model's features: 1 to 200 short plain names, none twice; raise ``ValueError``."""
    if not isinstance(names, list | tuple) or not 1 <= len(names) <= _MOST_NAMES:
        raise ValueError(f"a model has 1 to {_MOST_NAMES} features")
    if not all(type(name) is str and _NAME.fullmatch(name) for name in names):
        raise ValueError(f"the name of a feature is {_NAME.pattern}")
    if len(set(names)) != len(names):
        raise ValueError("two features have one name")
    return tuple(names)


def believed(tipo: Tipo, said: Any, onnx: bytes, features: Sequence[str] | None) -> Conversion:
    """The conversion that ``said`` (JSON values) tells of; raise ``ValueError`` if it proves nothing.

    Its names count only where ``features`` is ``None``: the caller did not know them.
    """
    try:
        parity = {str(key): float(number) for key, number in said["parity"].items()}
        proof, estimator = parity[_PROOF[tipo]], str(said["estimator"])[:200]
        names = checked_names(said["features"]) if features is None else tuple(features)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("it is malformed") from error
    if not onnx or len(parity) > _MOST_NUMBERS or not all(map(math.isfinite, parity.values())):
        raise ValueError("it is malformed")
    if not 0 <= proof <= LARGEST_DIFFERENCE:
        raise ValueError(f"its graph and its estimator differ by {proof:g}")
    return Conversion(onnx, parity, estimator, names)
