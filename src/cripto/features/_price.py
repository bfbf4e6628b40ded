"""Features of closing prices: returns, averages, oscillators, extremes. Lookbacks count the newest candle."""

from collections.abc import Callable
from functools import cache

import numpy as np

from cripto.features import _series as series
from cripto.features._window import Array, Series, Window, ratio

__all__ = [
    "autocorrelation",
    "average_distance",
    "bollinger_position",
    "bollinger_width",
    "drawdown",
    "efficiency",
    "ema_weights",
    "log_return",
    "macd",
    "macd_histogram",
    "macd_taps",
    "rsi",
    "runup",
    "skewness",
    "up_share",
]


def log_return(window: Window, steps: int) -> Array:
    """ln(close / close ``steps`` candles ago)."""
    return np.log(window.of(series.close) / window.past(series.close, steps))


def average_distance(window: Window, width: int) -> Array:
    """ln(close / mean of the last ``width`` closes); 0 in a flat window."""
    return -np.log1p(window.drift(series.close, width) / window.of(series.close))


def rsi(window: Window, width: int) -> Array:
    """Gains / (gains + losses) of the last ``width`` changes, 0 to 1; 0.5 without any.

    Wilder 1978 with Cutler's plain sums in place of the infinite smoothing.
    """
    gains = window.total(series.gain, width)
    return ratio(gains, gains + window.total(series.loss, width), otherwise=0.5)


def ema_weights(span: int, taps: int) -> tuple[float, ...]:
    """Weights of an exponential average, newest first, cut after ``taps`` candles and scaled to sum to one."""
    decay = 1.0 - 2.0 / (span + 1.0)
    weights = [decay**step for step in range(taps)]
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)


def macd_taps(slow: int) -> int:
    """How many closes both averages of a MACD see: twice the slow span."""
    return 2 * slow


@cache
def _macd_line(fast: int, slow: int) -> Callable[[Window], Array]:
    taps = macd_taps(slow)
    slow_weights = ema_weights(slow, taps)
    spread_weights = tuple(quick - lazy for quick, lazy in zip(ema_weights(fast, taps), slow_weights, strict=True))

    def line(window: Window) -> Array:
        # Both averages about the newest close: exactly 0 in a flat window, and no digits lost to the price level.
        closes = window.of(series.close)
        spread, average = np.zeros_like(closes), closes.copy()
        for steps in range(1, taps):
            newest = closes[steps:]
            difference = closes[: len(newest)] - newest
            spread[steps:] += spread_weights[steps] * difference
            average[steps:] += slow_weights[steps] * difference
        return spread / average

    return line


def macd(window: Window, fast: int, slow: int) -> Array:
    """(EMA ``fast`` - EMA ``slow``) / EMA ``slow`` of closes, both over the last 2 ``slow`` candles; 0 when flat.

    Appel 1979, in his percentage form (PPO).
    """
    return window.of(_macd_line(fast, slow))


def macd_histogram(window: Window, fast: int, slow: int, signal: int) -> Array:
    """The MACD less its EMA ``signal``, that one over the last ``signal`` values; 0 when flat.

    Aspray 1986.
    """
    line: Series = _macd_line(fast, slow)
    values = window.of(line)
    result = np.zeros_like(values)
    for steps, weight in enumerate(ema_weights(signal, signal)):
        newest = values[steps:]
        result[steps:] += weight * (newest - values[: len(newest)])
    return result


def bollinger_position(window: Window, width: int) -> Array:
    """%b: 0 on the lower band, 1 on the upper; bands lie 2 population deviations off the mean; 0.5 when flat.

    Bollinger 2001.
    """
    deviation = np.sqrt(window.variance(series.close, width))
    return 0.5 - ratio(window.drift(series.close, width), 4.0 * deviation, otherwise=0.0)


def bollinger_width(window: Window, width: int) -> Array:
    """Distance between the bands over the mean: 4 population deviations / mean of closes; 0 when flat.

    Bollinger 2001.
    """
    mean = window.of(series.close) + window.drift(series.close, width)
    return 4.0 * np.sqrt(window.variance(series.close, width)) / mean


def drawdown(window: Window, width: int) -> Array:
    """ln(close / highest of the last ``width`` closes): 0 at the top, negative below."""
    return np.log(window.of(series.close) / window.highest(series.close, width))


def runup(window: Window, width: int) -> Array:
    """ln(close / lowest of the last ``width`` closes): 0 at the bottom, positive above."""
    return np.log(window.of(series.close) / window.lowest(series.close, width))


def up_share(window: Window, width: int) -> Array:
    """Share of the last ``width`` changes that were rises, an unchanged close counting one half."""
    return window.total(series.upness, width) / width


def efficiency(window: Window, width: int) -> Array:
    """Sum of the last ``width`` log returns over the sum of their sizes, -1 to 1; 0 when flat.

    Kaufman 1995, kept with its sign.
    """
    return ratio(window.total(series.log_return, width), window.total(series.change_size, width), otherwise=0.0)


def autocorrelation(window: Window, width: int) -> Array:
    """Sum of products of neighbouring log returns / sum of squares, over the last ``width``; 0 when flat.

    The first autocorrelation with the mean taken as zero.
    """
    products = window.total(series.return_product, width - 1)
    return ratio(products, window.total(series.return_squared, width), otherwise=0.0)


def skewness(window: Window, width: int) -> Array:
    """Mean cube / (mean square)^1.5 of the last ``width`` log returns, the mean taken as zero; 0 when flat."""
    square = window.total(series.return_squared, width) / width
    cube = window.total(series.return_cubed, width) / width
    return ratio(cube, square * np.sqrt(square), otherwise=0.0)
