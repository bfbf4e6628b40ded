"""Candles side by side in arrays, and the reductions of their last few values that every feature is made of.

Bits first. Each reduction is a chain of whole-array operations on shifted copies, always in the same order:
the value of one row is computed by the same operations whether it stands alone or among millions. Running sums
(``cumsum``, polars' ``rolling_*`` and ``ewm``) would let candles before the window reach the last bits, and
``np.sum`` chooses its order of addition by length. Addition, multiplication, division and square roots are exact
by IEEE 754; that ``np.log`` and ``np.log1p`` do not depend on length or alignment is held by a test.

The first rows of an array see fewer candles than asked for: their values are finite and meaningless, and whoever
builds rows must not use them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Candles", "Series", "Window", "ratio"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candles:
    """Columns of equal length n, sorted by symbol and time; ``closed`` is each close in UTC microseconds."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    closed: npt.NDArray[np.int64]

    def __getitem__(self, rows: slice) -> "Candles":
        return Candles(
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.closed[rows],
        )


class Window:
    """Candles with the intermediate series that several features share, each computed once."""

    def __init__(self, candles: Candles) -> None:
        self.candles = candles
        self._series: dict[Series, Array] = {}
        self._reduced: dict[tuple[object, Series], dict[int, Array]] = {}

    def of(self, series: "Series") -> Array:
        """The values of ``series``, one per candle; callers must not write to them."""
        values = self._series.get(series)
        if values is None:
            values = self._series[series] = series(self)
        return values

    def past(self, series: "Series", steps: int) -> Array:
        """The value of ``series`` that many candles ago."""
        values = self.of(series)
        shifted = np.empty_like(values)
        shifted[steps:] = values[: len(values) - steps]
        shifted[:steps] = values[:steps]
        return shifted

    def total(self, series: "Series", width: int) -> Array:
        """The sum of the last ``width`` values, the newest first."""
        return self._reduce(np.add, series, width)

    def highest(self, series: "Series", width: int) -> Array:
        """The largest of the last ``width`` values."""
        return self._reduce(np.maximum, series, width)

    def lowest(self, series: "Series", width: int) -> Array:
        """The smallest of the last ``width`` values."""
        return self._reduce(np.minimum, series, width)

    def _reduce(self, operation: np.ufunc, series: "Series", width: int) -> Array:
        values = self.of(series)
        known = self._reduced.setdefault((operation, series), {1: values})
        # A longer window goes on from a shorter one: the same operations in the same order, done once.
        done = max(shorter for shorter in known if shorter <= width)
        if done < width:
            result = known[done].copy()
            for steps in range(done, width):
                tail = result[steps:]
                operation(tail, values[: len(tail)], out=tail)
            known[width] = result
        return known[width]

    def drift(self, series: "Series", width: int) -> Array:
        """The mean of the last ``width`` values less the newest one: exactly 0 in a flat window."""
        return self._drifts(series, width)[0] / width

    def variance(self, series: "Series", width: int) -> Array:
        """The population variance of the last ``width`` values: exactly 0 in a flat window.

        Taken about the newest value, which loses at most a factor ``width`` of precision whatever the values are.
        """
        mean = self.drift(series, width)
        return np.maximum(self._drifts(series, width)[1] / width - mean * mean, 0.0)

    def _drifts(self, series: "Series", width: int) -> tuple[Array, Array]:
        # Sums of (older - newest) and of its square, by width; the newest value adds nothing to either.
        values = self.of(series)
        sums = self._reduced.setdefault((Window.drift, series), {1: np.zeros_like(values)})
        squares = self._reduced.setdefault((Window.variance, series), {1: np.zeros_like(values)})
        done = max(shorter for shorter in sums if shorter <= width)
        if done < width:
            total, square = sums[done].copy(), squares[done].copy()
            for steps in range(done, width):
                newest = values[steps:]
                difference = values[: len(newest)] - newest
                total[steps:] += difference
                np.multiply(difference, difference, out=difference)
                square[steps:] += difference
            sums[width], squares[width] = total, square
        return sums[width], squares[width]


Series = Callable[[Window], Array]
"""What computes one value per candle; equal functions are computed once per window."""


def ratio(numerator: Array, denominator: Array, otherwise: float) -> Array:
    """``numerator / denominator``, or ``otherwise`` where the denominator is zero."""
    result = np.full_like(numerator, otherwise)
    np.divide(numerator, denominator, out=result, where=denominator != 0.0)
    return result
