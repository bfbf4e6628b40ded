"""Features of candles: one spec, one builder, for training and serving alike.

A row's features are a pure function of its last ``spec.lookback`` candles: no price scale, no future, no row
order and no neighbour reaches them, to the last bit on one machine. ``docs/features.md`` lists every formula.
"""

from cripto.features.builder import build_features, check_spec, latest_features, latest_matrix
from cripto.features.spec import FORMULAS_VERSION, default_spec, spec_of, spec_of_names

__all__ = [
    "FORMULAS_VERSION",
    "build_features",
    "check_spec",
    "default_spec",
    "latest_features",
    "latest_matrix",
    "spec_of",
    "spec_of_names",
]
