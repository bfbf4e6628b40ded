"""A Hypothesis strategy for candles as rough as a real market's: flat stretches, no volume, jumps by a million."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import polars as pl

from cripto.domain.interval import Interval
from tests.doubles.candles import DAILY, random_walk

__all__ = ["histories", "roughened", "without"]

PRICES = ("open", "high", "low", "close")


@st.composite
def histories(
    draw: st.DrawFn,
    symbols: tuple[str, ...] = ("BTC",),
    least: int = 61,
    most: int = 90,
    interval: Interval = DAILY,
    jumps: bool = True,
) -> pl.DataFrame:
    """Contiguous candles of ``symbols``, sorted; each symbol roughened in its own way."""
    frames = []
    for symbol in symbols:
        candles = random_walk([symbol], draw(st.integers(least, most)), interval, seed=draw(st.integers(0, 999)))
        scale = 10.0 ** draw(st.integers(-12, 12) if jumps else st.integers(-3, 3))
        candles = candles.with_columns(pl.col(*PRICES) * scale)
        for fault in draw(
            st.lists(st.sampled_from(["flat", "silent", "still", "small"]), max_size=3, unique=True)
        ):
            candles = roughened(candles, fault, draw(st.integers(0, most)), draw(st.integers(1, most)))
        for fault in draw(st.lists(st.sampled_from(["jump", "crash", "burst"]), max_size=2)) if jumps else ():
            candles = roughened(candles, fault, draw(st.integers(1, most)), 1)
        frames.append(candles)
    return pl.concat(frames)


def roughened(candles: pl.DataFrame, fault: str, start: int, count: int) -> pl.DataFrame:
    """One series with ``count`` candles from ``start`` on changed as ``fault`` says."""
    columns: dict[str, Any] = {name: candles[name].to_numpy().copy() for name in (*PRICES, "volume")}
    part = slice(start, start + count)
    level = columns["open"][part][:1]
    match fault:
        case "flat":  # one price, all along
            for name in PRICES:
                columns[name][part] = level if len(level) else 1.0
        case "silent":  # nobody trades
            columns["volume"][part] = 0.0
        case "still":  # bars without a range, at moving prices
            for name in PRICES:
                columns[name][part] = columns["close"][part]
        case "small":  # moves a thousand times smaller
            for name in PRICES:
                columns[name][part] = level * (columns[name][part] / level) ** 1e-3 if len(level) else 1.0
            columns["high"][part] = np.maximum.reduce([columns[name][part] for name in PRICES])
            columns["low"][part] = np.minimum.reduce([columns[name][part] for name in PRICES])
        case "jump" | "crash":  # a million times up or down, for good
            for name in PRICES:
                columns[name][start:] = columns[name][start:] * (1e6 if fault == "jump" else 1e-6)
        case "burst":  # a million times the volume, once
            columns["volume"][part] = columns["volume"][part] * 1e6
        case _:
            raise ValueError(fault)
    return candles.with_columns(pl.Series(name, values) for name, values in columns.items())


def without(candles: pl.DataFrame, places: set[int]) -> pl.DataFrame:
    """``candles`` less the rows at ``places``."""
    return candles.filter(pl.Series([place not in places for place in range(len(candles))], dtype=pl.Boolean))
