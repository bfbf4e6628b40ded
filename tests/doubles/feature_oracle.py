"""Every kind of feature once more, slow and obvious: plain Python over one list of candles, newest last.

For tests only. Written from the definitions and not from the builder: exact rational means and deviations,
``math.fsum`` for sums, no arrays, no shared intermediates.
"""

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import polars as pl

from cripto.domain.feature_spec import Feature
from cripto.domain.interval import Interval

__all__ = ["ORACLES", "Bar", "bars_of", "oracle"]


class Bar(NamedTuple):
    closed: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


Bars = Sequence[Bar]


def bars_of(candles: pl.DataFrame, interval: Interval) -> list[Bar]:
    columns = candles.select("time", "open", "high", "low", "close", "volume")
    return [Bar(interval.close_of(time), *map(float, numbers)) for time, *numbers in columns.iter_rows()]


def oracle(feature: Feature, bars: Bars) -> float:
    """The value of ``feature`` at the last of ``bars``."""
    return ORACLES[feature.kind](bars, *feature.params)


def exact_mean(values: Sequence[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction()) / len(values)


def closes(bars: Bars, count: int) -> list[float]:
    return [bar.close for bar in bars[len(bars) - count :]]


def returns(bars: Bars, count: int) -> list[float]:
    prices = closes(bars, count + 1)
    return [math.log(after / before) for before, after in pairwise(prices)]


def return_(bars: Bars, steps: int) -> float:
    return math.log(bars[-1].close / bars[-1 - steps].close)


def volatility(bars: Bars, width: int) -> float:
    return math.sqrt(math.fsum(change**2 for change in returns(bars, width)) / width)


def mean_move(bars: Bars, width: int) -> float:
    return math.fsum(abs(change) for change in returns(bars, width)) / width


def parkinson(bars: Bars, width: int) -> float:
    squares = [math.log(bar.high / bar.low) ** 2 for bar in bars[-width:]]
    return math.sqrt(math.fsum(squares) / width / 4 / math.log(2))


def garman_klass(bars: Bars, width: int) -> float:
    parts = [
        0.5 * math.log(bar.high / bar.low) ** 2 - (2 * math.log(2) - 1) * math.log(bar.close / bar.open) ** 2
        for bar in bars[-width:]
    ]
    return math.sqrt(max(math.fsum(parts), 0.0) / width)


def atr(bars: Bars, width: int) -> float:
    ranges = []
    for before, bar in zip(bars[-width - 1 :], bars[-width:], strict=False):
        ranges.append(max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close)))
    return math.fsum(ranges) / width / bars[-1].close


def position(bars: Bars, width: int) -> float:
    top = max(bar.high for bar in bars[-width:])
    bottom = min(bar.low for bar in bars[-width:])
    return (bars[-1].close - bottom) / (top - bottom) if top > bottom else 0.5


def stochastic_d(bars: Bars, width: int, smoothing: int) -> float:
    return statistics.mean(position(bars[: len(bars) - back], width) for back in range(smoothing))


def part_of_range(bar: Bar, part: float) -> float:
    return part / (bar.high - bar.low) if bar.high > bar.low else 0.0


def body(bars: Bars) -> float:
    return part_of_range(bars[-1], bars[-1].close - bars[-1].open)


def upper_wick(bars: Bars) -> float:
    return part_of_range(bars[-1], bars[-1].high - max(bars[-1].open, bars[-1].close))


def lower_wick(bars: Bars) -> float:
    return part_of_range(bars[-1], min(bars[-1].open, bars[-1].close) - bars[-1].low)


def range_(bars: Bars) -> float:
    return math.log(bars[-1].high / bars[-1].low)


def average_distance(bars: Bars, width: int) -> float:
    return math.log(bars[-1].close / statistics.mean(closes(bars, width)))


def rsi(bars: Bars, width: int) -> float:
    prices = closes(bars, width + 1)
    changes = [after - before for before, after in pairwise(prices)]
    gains = math.fsum(change for change in changes if change > 0)
    losses = math.fsum(-change for change in changes if change < 0)
    return gains / (gains + losses) if gains + losses > 0 else 0.5


def ema(newest_first: Sequence[float], span: int) -> float:
    weights = [(1 - 2 / (span + 1)) ** age for age in range(len(newest_first))]
    return math.fsum(w * x for w, x in zip(weights, newest_first, strict=True)) / math.fsum(weights)


def macd(bars: Bars, fast: int, slow: int) -> float:
    newest_first = closes(bars, 2 * slow)[::-1]
    return (ema(newest_first, fast) - ema(newest_first, slow)) / ema(newest_first, slow)


def macd_histogram(bars: Bars, fast: int, slow: int, signal: int) -> float:
    lines = [macd(bars[: len(bars) - age], fast, slow) for age in range(signal)]
    return lines[0] - ema(lines, signal)


def bollinger_position(bars: Bars, width: int) -> float:
    prices = closes(bars, width)
    middle, deviation = exact_mean(prices), Fraction(statistics.pstdev(prices))
    if deviation == 0:
        return 0.5
    lower, upper = middle - 2 * deviation, middle + 2 * deviation
    return float((Fraction(prices[-1]) - lower) / (upper - lower))


def bollinger_width(bars: Bars, width: int) -> float:
    prices = closes(bars, width)
    return 4 * statistics.pstdev(prices) / statistics.mean(prices)


def drawdown(bars: Bars, width: int) -> float:
    return math.log(bars[-1].close / max(closes(bars, width)))


def runup(bars: Bars, width: int) -> float:
    return math.log(bars[-1].close / min(closes(bars, width)))


def up_share(bars: Bars, width: int) -> float:
    prices = closes(bars, width + 1)
    points = 0.0
    for before, after in pairwise(prices):
        points += 1.0 if after > before else 0.5 if after == before else 0.0
    return points / width


def efficiency(bars: Bars, width: int) -> float:
    changes = returns(bars, width)
    path = math.fsum(abs(change) for change in changes)
    return math.fsum(changes) / path if path else 0.0


def autocorrelation(bars: Bars, width: int) -> float:
    changes = returns(bars, width)
    squares = math.fsum(change**2 for change in changes)
    products = math.fsum(a * b for a, b in pairwise(changes))
    return products / squares if squares else 0.0


def skewness(bars: Bars, width: int) -> float:
    changes = returns(bars, width)
    square = math.fsum(change**2 for change in changes) / width
    cube = math.fsum(change**3 for change in changes) / width
    return cube / square**1.5 if square else 0.0


def volumes(bars: Bars, count: int) -> list[float]:
    return [bar.volume for bar in bars[len(bars) - count :]]


def log_volume_ratio(numerator: float, denominator: float) -> float:
    return math.log(max(numerator / denominator, 1e-6)) if denominator > 0 else 0.0


def volume_surprise(bars: Bars, width: int) -> float:
    return log_volume_ratio(bars[-1].volume, statistics.mean(volumes(bars, width)))


def volume_trend(bars: Bars, short: int, long: int) -> float:
    return log_volume_ratio(statistics.mean(volumes(bars, short)), statistics.mean(volumes(bars, long)))


def volume_zscore(bars: Bars, width: int) -> float:
    traded = volumes(bars, width)
    deviation = statistics.pstdev(traded)
    return float(Fraction(traded[-1]) - exact_mean(traded)) / deviation if deviation else 0.0


def volume_balance(bars: Bars, width: int) -> float:
    signed = []
    for before, bar in zip(bars[-width - 1 :], bars[-width:], strict=False):
        signed.append(math.copysign(bar.volume, bar.close - before.close) if bar.close != before.close else 0.0)
    whole = math.fsum(volumes(bars, width))
    return math.fsum(signed) / whole if whole else 0.0


def angle_of_weekday(bars: Bars) -> float:
    return 2 * math.pi * bars[-1].closed.astimezone(UTC).weekday() / 7


def angle_of_hour(bars: Bars) -> float:
    return 2 * math.pi * bars[-1].closed.astimezone(UTC).hour / 24


ORACLES: dict[str, Callable[..., float]] = {
    "return": return_,
    "volatility": volatility,
    "mean_move": mean_move,
    "parkinson": parkinson,
    "garman_klass": garman_klass,
    "atr": atr,
    "position": position,
    "stochastic_d": stochastic_d,
    "body": body,
    "upper_wick": upper_wick,
    "lower_wick": lower_wick,
    "range": range_,
    "average_distance": average_distance,
    "rsi": rsi,
    "macd": macd,
    "macd_histogram": macd_histogram,
    "bollinger_position": bollinger_position,
    "bollinger_width": bollinger_width,
    "drawdown": drawdown,
    "runup": runup,
    "up_share": up_share,
    "efficiency": efficiency,
    "autocorrelation": autocorrelation,
    "skewness": skewness,
    "volume_surprise": volume_surprise,
    "volume_trend": volume_trend,
    "volume_zscore": volume_zscore,
    "volume_balance": volume_balance,
    "weekday_sin": lambda bars: math.sin(angle_of_weekday(bars)),
    "weekday_cos": lambda bars: math.cos(angle_of_weekday(bars)),
    "hour_sin": lambda bars: math.sin(angle_of_hour(bars)),
    "hour_cos": lambda bars: math.cos(angle_of_hour(bars)),
}
