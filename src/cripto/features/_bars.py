"""Features of bars: volatility, range, anatomy, volume, calendar. Lookbacks count the newest candle."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from cripto.features import _series as series
from cripto.features._window import Array, Series, Window, ratio

__all__ = [
    "VOLUME_FLOOR",
    "average_true_range",
    "bar_range",
    "body",
    "garman_klass",
    "hour_cos",
    "hour_sin",
    "lower_wick",
    "mean_move",
    "parkinson",
    "position",
    "stochastic_d",
    "upper_wick",
    "volatility",
    "volume_balance",
    "volume_surprise",
    "volume_trend",
    "volume_zscore",
    "weekday_cos",
    "weekday_sin",
]

VOLUME_FLOOR = 1e-6
"""Volume ratios below this count as this, so that no volume at all has a logarithm."""

_HOUR = 3_600_000_000
_SINES = {count: np.array([math.sin(2.0 * math.pi * part / count) for part in range(count)]) for count in (7, 24)}
_COSINES = {
    count: np.array([math.cos(2.0 * math.pi * part / count) for part in range(count)]) for count in (7, 24)
}


def volatility(window: Window, width: int) -> Array:
    """Realised volatility: square root of the mean squared log return of the last ``width`` returns."""
    return np.sqrt(window.total(series.return_squared, width) / width)


def mean_move(window: Window, width: int) -> Array:
    """Mean size of the last ``width`` log returns: volatility that one great move says little about."""
    return window.total(series.change_size, width) / width


def parkinson(window: Window, width: int) -> Array:
    """Square root of the mean of ln(high / low)^2 / (4 ln 2) over the last ``width`` bars (Parkinson 1980)."""
    return np.sqrt(window.total(series.log_range_squared, width) / (width * (4.0 * math.log(2.0))))


def garman_klass(window: Window, width: int) -> Array:
    """Square root of the mean of ln(high / low)^2 / 2 - (2 ln 2 - 1) ln(close / open)^2 over ``width`` bars.

    Garman and Klass 1980.
    """
    ranges = window.total(series.log_range_squared, width)
    bodies = window.total(series.open_to_close_squared, width)
    return np.sqrt(np.maximum(0.5 * ranges - (2.0 * math.log(2.0) - 1.0) * bodies, 0.0) / width)


def average_true_range(window: Window, width: int) -> Array:
    """Mean true range of the last ``width`` bars / close (Wilder 1978, a plain mean in place of his smoothing)."""
    return window.total(series.true_range, width) / width / window.of(series.close)


@cache
def _position(width: int) -> Series:
    def values(window: Window) -> Array:
        bottom = window.lowest(series.low, width)
        height = window.highest(series.high, width) - bottom
        return ratio(window.of(series.close) - bottom, height, otherwise=0.5)

    return values


def position(window: Window, width: int) -> Array:
    """(close - lowest low) / (highest high - lowest low) of the last ``width`` bars; 0.5 when flat.

    Where the close stands in Donchian's channel; Lane's stochastic %K.
    """
    return window.of(_position(width))


def stochastic_d(window: Window, width: int, smoothing: int) -> Array:
    """Mean of the last ``smoothing`` values of ``position`` of ``width``: Lane's stochastic %D."""
    return window.total(_position(width), smoothing) / smoothing


def _part_of_range(window: Window, part: Array) -> Array:
    return ratio(part, window.of(series.high) - window.of(series.low), otherwise=0.0)


def body(window: Window) -> Array:
    """(close - open) / (high - low), -1 to 1; 0 in a bar without range."""
    return _part_of_range(window, window.of(series.close) - window.candles.open)


def upper_wick(window: Window) -> Array:
    """(high - larger of open and close) / (high - low), 0 to 1; 0 in a bar without range."""
    top = np.maximum(window.of(series.close), window.candles.open)
    return _part_of_range(window, window.of(series.high) - top)


def lower_wick(window: Window) -> Array:
    """(smaller of open and close - low) / (high - low), 0 to 1; 0 in a bar without range."""
    bottom = np.minimum(window.of(series.close), window.candles.open)
    return _part_of_range(window, bottom - window.of(series.low))


def bar_range(window: Window) -> Array:
    """ln(high / low) of the newest bar."""
    return window.of(series.log_range)


def _mean_volume(window: Window, width: int) -> Array:
    return window.of(series.volume) + window.drift(series.volume, width)


def _log_volume_ratio(numerator: Array, denominator: Array) -> Array:
    return np.log(np.maximum(ratio(numerator, denominator, otherwise=1.0), VOLUME_FLOOR))


def volume_surprise(window: Window, width: int) -> Array:
    """ln(volume / mean of the last ``width`` volumes), at least ln 1e-6; 0 without any volume."""
    return _log_volume_ratio(window.of(series.volume), _mean_volume(window, width))


def volume_trend(window: Window, short: int, long: int) -> Array:
    """ln(mean of the last ``short`` volumes / mean of the last ``long``), at least ln 1e-6; 0 without volume."""
    return _log_volume_ratio(_mean_volume(window, short), _mean_volume(window, long))


def volume_zscore(window: Window, width: int) -> Array:
    """(volume - mean) / population deviation of the last ``width`` volumes; 0 when all are equal."""
    return -ratio(
        window.drift(series.volume, width), np.sqrt(window.variance(series.volume, width)), otherwise=0.0
    )


def volume_balance(window: Window, width: int) -> Array:
    """Volume of rises less volume of falls, over all volume, of the last ``width`` bars; 0 without any volume.

    Granville's on-balance volume, as a share.
    """
    return ratio(window.total(series.signed_volume, width), window.total(series.volume, width), otherwise=0.0)


def _hour(window: Window) -> npt.NDArray[np.int64]:
    return window.candles.closed // _HOUR % 24


def _weekday(window: Window) -> npt.NDArray[np.int64]:
    # 1970-01-01 was a Thursday, day 3 of a week that begins on Monday.
    return (window.candles.closed // (24 * _HOUR) + 3) % 7


def weekday_sin(window: Window) -> Array:
    """sin(2 pi d / 7), d the UTC weekday of the candle's close, Monday 0."""
    return _SINES[7][_weekday(window)]


def weekday_cos(window: Window) -> Array:
    """cos(2 pi d / 7), d the UTC weekday of the candle's close, Monday 0."""
    return _COSINES[7][_weekday(window)]


def hour_sin(window: Window) -> Array:
    """sin(2 pi h / 24), h the UTC hour of the candle's close, 0 to 23."""
    return _SINES[24][_hour(window)]


def hour_cos(window: Window) -> Array:
    """cos(2 pi h / 24), h the UTC hour of the candle's close, 0 to 23."""
    return _COSINES[24][_hour(window)]
