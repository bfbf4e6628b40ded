"""Which features new models are fitted on."""

import re
from collections.abc import Iterable, Sequence

from cripto.domain.feature_spec import Feature, FeatureSpec
from cripto.errors import InvalidInput
from cripto.features.kinds import lookback_of

__all__ = ["FORMULAS_VERSION", "default_spec", "spec_of", "spec_of_names"]

FORMULAS_VERSION = 1
"""The version of the formulas behind the kinds, written into every spec made here."""

_NAMED = 5
_COLUMN = re.compile(r"([a-z_]{1,64}?)((?:_\d{1,3})*)", re.ASCII)

_DEFAULT: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...] = (
    ("return", ((1,), (2,), (3,), (5,), (10,), (20,), (60,))),
    ("volatility", ((5,), (20,), (60,))),
    ("mean_move", ((60,),)),
    ("parkinson", ((10,),)),
    ("garman_klass", ((20,),)),
    ("atr", ((14,),)),
    ("position", ((14,), (20,), (60,))),
    ("stochastic_d", ((14, 3),)),
    ("body", ((),)),
    ("upper_wick", ((),)),
    ("lower_wick", ((),)),
    ("range", ((),)),
    ("average_distance", ((5,), (20,), (50,))),
    ("rsi", ((14,),)),
    ("macd", ((12, 26),)),
    ("macd_histogram", ((12, 26, 9),)),
    ("bollinger_position", ((20,),)),
    ("bollinger_width", ((20,),)),
    ("drawdown", ((60,),)),
    ("runup", ((60,),)),
    ("up_share", ((20,),)),
    ("efficiency", ((20,),)),
    ("autocorrelation", ((20,),)),
    ("skewness", ((20,),)),
    ("volume_surprise", ((20,),)),
    ("volume_trend", ((5, 60),)),
    ("volume_zscore", ((20,),)),
    ("volume_balance", ((20,),)),
    ("weekday_sin", ((),)),
    ("weekday_cos", ((),)),
    ("hour_sin", ((),)),
    ("hour_cos", ((),)),
)


def spec_of(features: Iterable[Feature]) -> FeatureSpec:
    """A spec of ``features`` in that order, with the lookback they need; raises `InvalidInput`."""
    chosen = tuple(features)
    return FeatureSpec(FORMULAS_VERSION, lookback_of(chosen), chosen)


def spec_of_names(names: Sequence[str]) -> FeatureSpec:
    """The spec whose columns are ``names``, in that order.

    Raises `InvalidInput` that names the first which are no features, or spelled otherwise than by kind and
    parameters, and for none, for two of one name and for a lookback beyond what a spec may have.
    """
    features = [_feature_of(name) for name in names]
    unknown = [name[:64] for name, feature in zip(names, features, strict=True) if feature is None]
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise InvalidInput(f"features the builder does not know: {', '.join(unknown[:_NAMED])}{more}")
    return spec_of(feature for feature in features if feature is not None)


def _feature_of(name: str) -> Feature | None:
    match = _COLUMN.fullmatch(name)
    if match is None:
        return None
    feature = Feature(match[1], tuple(int(param) for param in match[2].split("_")[1:]))
    try:
        lookback_of([feature])
    except InvalidInput:
        return None
    return feature if feature.name == name else None


def default_spec() -> FeatureSpec:
    """The features of a new release: 44 columns, none with a price scale, from 61 candles."""
    return spec_of(Feature(kind, params) for kind, variants in _DEFAULT for params in variants)
