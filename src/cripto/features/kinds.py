"""The kinds of feature the builder knows: what reduces a window, and how many candles that takes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cripto.domain.feature_spec import MAX_LOOKBACK, Feature
from cripto.errors import InvalidInput
from cripto.features import _bars, _price
from cripto.features._window import Array

__all__ = ["KINDS", "Kind", "lookback_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A formula with ``params`` integer parameters.

    ``lookback`` says from them how many candles a value needs, the newest included; ``reduce`` takes a
    `cripto.features._window.Window` and them. Each parameter is at least ``least``.
    """

    reduce: Callable[..., Array]
    lookback: Callable[..., int]
    params: int
    least: int = 1

    @property
    def formula(self) -> str:
        """The formula in words, from the reducer's docstring."""
        return (self.reduce.__doc__ or "").partition("\n")[0]


def _one() -> int:
    return 1


def _width(width: int) -> int:
    return width


def _changes(width: int) -> int:
    return width + 1


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "return": Kind(_price.log_return, _changes, 1),
        "volatility": Kind(_bars.volatility, _changes, 1),
        "mean_move": Kind(_bars.mean_move, _changes, 1),
        "parkinson": Kind(_bars.parkinson, _width, 1),
        "garman_klass": Kind(_bars.garman_klass, _width, 1),
        "atr": Kind(_bars.average_true_range, _changes, 1),
        "position": Kind(_bars.position, _width, 1),
        "stochastic_d": Kind(_bars.stochastic_d, lambda width, smoothing: width + smoothing - 1, 2),
        "body": Kind(_bars.body, _one, 0),
        "upper_wick": Kind(_bars.upper_wick, _one, 0),
        "lower_wick": Kind(_bars.lower_wick, _one, 0),
        "range": Kind(_bars.bar_range, _one, 0),
        "average_distance": Kind(_price.average_distance, _width, 1, least=2),
        "rsi": Kind(_price.rsi, _changes, 1),
        "macd": Kind(_price.macd, lambda _fast, slow: _price.macd_taps(slow), 2),
        "macd_histogram": Kind(
            _price.macd_histogram, lambda _fast, slow, signal: _price.macd_taps(slow) + signal - 1, 3
        ),
        "bollinger_position": Kind(_price.bollinger_position, _width, 1, least=2),
        "bollinger_width": Kind(_price.bollinger_width, _width, 1, least=2),
        "drawdown": Kind(_price.drawdown, _width, 1, least=2),
        "runup": Kind(_price.runup, _width, 1, least=2),
        "up_share": Kind(_price.up_share, _changes, 1),
        "efficiency": Kind(_price.efficiency, _changes, 1),
        "autocorrelation": Kind(_price.autocorrelation, _changes, 1, least=2),
        "skewness": Kind(_price.skewness, _changes, 1),
        "volume_surprise": Kind(_bars.volume_surprise, _width, 1, least=2),
        "volume_trend": Kind(_bars.volume_trend, max, 2),
        "volume_zscore": Kind(_bars.volume_zscore, _width, 1, least=2),
        "volume_balance": Kind(_bars.volume_balance, _changes, 1),
        "weekday_sin": Kind(_bars.weekday_sin, _one, 0),
        "weekday_cos": Kind(_bars.weekday_cos, _one, 0),
        "hour_sin": Kind(_bars.hour_sin, _one, 0),
        "hour_cos": Kind(_bars.hour_cos, _one, 0),
    }
)
"""Every kind by name. A changed formula is a new kind or a new `cripto.features.spec.FORMULAS_VERSION`."""


def lookback_of(features: Iterable[Feature], kinds: Mapping[str, Kind] = KINDS) -> int:
    """How many candles, the newest included, the longest of ``features`` needs.

    Raises `InvalidInput` for an unknown kind, a wrong count of parameters, or one that is out of range.
    """
    return max((_lookback(feature, kinds) for feature in features), default=1)


def _lookback(feature: Feature, kinds: Mapping[str, Kind]) -> int:
    kind = kinds.get(feature.kind)
    if kind is None:
        raise InvalidInput(f"unknown kind of feature {feature.kind!r}; known: {', '.join(sorted(kinds))}")
    if len(feature.params) != kind.params:
        raise InvalidInput(
            f"feature {feature.name} has {len(feature.params)} parameters, {feature.kind} takes {kind.params}"
        )
    if not all(kind.least <= param <= MAX_LOOKBACK for param in feature.params):
        raise InvalidInput(f"a parameter of feature {feature.name} is not within {kind.least} to {MAX_LOOKBACK}")
    return kind.lookback(*feature.params)
