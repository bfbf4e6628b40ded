"""Rows to score without a model: what came, what was said, and the baselines one asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.training.scores import ScoredRows
from tests.doubles.candles import DAILY

__all__ = ["days", "returns_like_coins", "scored"]

Floats = NDArray[np.float64]


def days(count: int, each: int = 1) -> NDArray[np.datetime64]:
    """``each`` rows on each of ``count`` days."""
    return np.repeat(np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "D"), each)


def scored(
    actual: Sequence[float] | Floats,
    predicted: Mapping[str, Sequence[float] | Floats],
    time: NDArray[np.datetime64] | None = None,
    *,
    parts: int = 5,
    base_rate: float = 0.5,
    drift: float = 0.0,
    scale: float = 1.0,
    **changed: Any,
) -> ScoredRows:
    """Rows of as many assets as stand at the first time, cut into ``parts`` by time."""
    came = np.array(actual, dtype=np.float64)
    when = days(len(came)) if time is None else time
    distinct, place = np.unique(when, return_inverse=True)
    coins = int((when == when[0]).sum())
    fields: dict[str, Any] = {
        "interval": DAILY,
        "time": when,
        "symbol": pl.Series("symbol", [f"C{number % coins}" for number in range(len(came))]),
        "actual": came,
        "part": 1 + place * parts // len(distinct),
        "parts": parts,
        "predicted": {name: np.array(values, dtype=np.float64) for name, values in predicted.items()},
        "returns": {"last_price": np.zeros(len(came)), "drift": np.full(len(came), drift)},
        "chances": {"base_rate": np.full(len(came), base_rate), "coin": np.full(len(came), 0.5)},
        "scale": np.full(len(came), scale),
        "loud": np.zeros(len(came), dtype=np.int64),
        "market": np.zeros(len(came), dtype=np.int64),
        "unseasonal": 0,
    }
    return ScoredRows(**(fields | changed))


def returns_like_coins(random: np.random.Generator, count: int, coins: int) -> Floats:
    """Log returns (count, coins) with heavy tails, a market that moves all coins, and loud and calm months."""
    level = np.zeros(count)
    shocks = random.normal(0, 0.15, count)
    for place in range(1, count):
        level[place] = 0.97 * level[place - 1] + shocks[place]
    moves = 0.75 * random.standard_t(4, (count, 1)) + 0.66 * random.standard_t(4, (count, coins))
    moved: Floats = 0.02 * np.exp(level)[:, None] * moves
    return moved
