"""Series that several features share, one value per candle. None looks further back than the previous candle."""

import numpy as np

from cripto.features._window import Array, Window

__all__ = [
    "change_size",
    "close",
    "gain",
    "high",
    "log_range",
    "log_range_squared",
    "log_return",
    "loss",
    "low",
    "open_to_close_squared",
    "return_cubed",
    "return_product",
    "return_squared",
    "signed_volume",
    "true_range",
    "upness",
    "volume",
]


def close(window: Window) -> Array:
    """Closing prices."""
    return window.candles.close


def high(window: Window) -> Array:
    """Highest prices."""
    return window.candles.high


def low(window: Window) -> Array:
    """Lowest prices."""
    return window.candles.low


def volume(window: Window) -> Array:
    """Traded volumes."""
    return window.candles.volume


def log_return(window: Window) -> Array:
    """ln(close / previous close): the ratio first, so that a power of two in the prices changes no bit."""
    return np.log(window.of(close) / window.past(close, 1))


def return_squared(window: Window) -> Array:
    """Squared log returns."""
    returns = window.of(log_return)
    return returns * returns


def return_cubed(window: Window) -> Array:
    """Cubed log returns."""
    return window.of(return_squared) * window.of(log_return)


def return_product(window: Window) -> Array:
    """Log return times the one before it."""
    return window.of(log_return) * window.past(log_return, 1)


def change_size(window: Window) -> Array:
    """Absolute log returns."""
    return np.abs(window.of(log_return))


def gain(window: Window) -> Array:
    """Rise of the close, 0 when it fell."""
    return np.maximum(window.of(close) - window.past(close, 1), 0.0)


def loss(window: Window) -> Array:
    """Fall of the close, 0 when it rose."""
    return np.maximum(window.past(close, 1) - window.of(close), 0.0)


def upness(window: Window) -> Array:
    """1 when the close rose, 0 when it fell, one half when it stood still."""
    return (np.sign(window.of(close) - window.past(close, 1)) + 1.0) / 2.0


def signed_volume(window: Window) -> Array:
    """Volume with the sign of the close's change (Granville's on-balance volume adds these up)."""
    return np.sign(window.of(close) - window.past(close, 1)) * window.of(volume)


def log_range(window: Window) -> Array:
    """ln(high / low)."""
    return np.log(window.of(high) / window.of(low))


def log_range_squared(window: Window) -> Array:
    """Squared log ranges."""
    ranges = window.of(log_range)
    return ranges * ranges


def open_to_close_squared(window: Window) -> Array:
    """Squared ln(close / open)."""
    change = np.log(window.of(close) / window.candles.open)
    return change * change


def true_range(window: Window) -> Array:
    """Wilder's true range: the bar's range stretched to the previous close."""
    before = window.past(close, 1)
    return np.maximum(window.of(high), before) - np.minimum(window.of(low), before)
