"""Bars that keep every rule and are odd all the same: what to look at, never what to throw away.

The limits were chosen on 667,703 hourly and 66,741 daily candles of Binance; ``docs/candles.md`` has the figures.
They are narrower than those of `cripto.market.suspicion`, which may keep a bar out (docs/adr/0019).
"""

import math
from collections.abc import Mapping

import polars as pl

from cripto.domain.interval import Interval
from cripto.market.schema import CANDLE_SCHEMA, PRICES

__all__ = [
    "BREAK_LIMIT",
    "ODDITIES",
    "ODDITY_SCHEMA",
    "RUN_RULES",
    "least_run",
    "move_limit",
    "odd_bars",
    "run_flag",
    "with_previous",
]

ODDITIES: Mapping[str, str] = {
    "jump": "the close is far from the close before; the more so, the longer ago that was",
    "spike": "the high or the low is far from both open and close",
    "break": "the open is far from the close of the candle just before",
    "repeated": "open, high, low, close and volume are those of the candle before, and something was traded",
    "stale_close": "the close stays the same although something is traded",
    "no_volume": "nothing was traded for an hour or longer",
}
"""What is remarked upon, and what each says. The names are stable: reports carry them."""

RUN_RULES = ("repeated", "stale_close", "no_volume")
"""Those of `ODDITIES` that are told once for candles in a row."""

BREAK_LIMIT = 1.03
"""Ratio of an open to the close just before; no time passes between them, so it is the same for all intervals."""

ODDITY_SCHEMA = pl.Schema(
    {
        "symbol": pl.String(),
        "quote": pl.String(),
        "rule": pl.String(),
        "time": CANDLE_SCHEMA["time"],
        "until": CANDLE_SCHEMA["time"],
        "candles": pl.Int64(),
        "figure": pl.Float64(),
        "limit": pl.Float64(),
    }
)
"""One row per odd bar or run of bars: opens of the first and the last, how many, the figure and its limit.

The figure of ``jump``, ``spike`` and ``break`` is a ratio of prices, odd above ``limit`` and below its inverse;
that of a run is the number of its candles, odd from ``limit`` on.
"""

_SERIES = ("symbol", "quote")
_VALUES = (*PRICES, "volume")
_LAST = ("time", *_VALUES)
_HOURLY_MOVE = 0.20
_MOVE_POWER = 0.39
_STALE_CLOSES = 12


def move_limit(interval: Interval, candles: int = 1) -> float:
    """The ratio of two prices, ``candles`` candles apart, beyond which a move is odd: 1.22 in an hour, 2 in a day.

    Its logarithm is 0.20 x hours ** 0.39.
    """
    return math.exp(_HOURLY_MOVE * (interval.seconds * candles / 3600) ** _MOVE_POWER)


def least_run(rule: str, interval: Interval) -> int:
    """From how many candles in a row on a run of one of `RUN_RULES` is odd."""
    if rule == "stale_close":
        return _STALE_CLOSES
    return max(1, 3600 // interval.seconds) if rule == "no_volume" else 1


def with_previous(candles: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Add the values of the candle before of the same series as ``last_*``, and ``apart``: how many candles ago.

    ``candles`` are sorted by symbol, quote and time; null where there is none before.
    """
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in _SERIES)
    apart = (pl.col("time") - pl.col("time").shift(1)).dt.total_microseconds() // (interval.seconds * 1_000_000)
    return candles.with_columns(
        apart=pl.when(same).then(apart),
        **{f"last_{name}": pl.when(same).then(pl.col(name).shift(1)) for name in _LAST},
    )


def odd_bars(rows: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """The jumps, spikes and breaks among rows `with_previous`, in the form of `ODDITY_SCHEMA`.

    Prices that are no prices are the business of ``cripto.market.rules``.
    """
    close, last = pl.col("close"), pl.col("last_close")
    body = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    up, down = pl.col("high") / body[0], pl.col("low") / body[1]
    hours = pl.col("apart").cast(pl.Float64) * interval.seconds / 3600
    limits = {
        "jump": (close / last, (_HOURLY_MOVE * hours.pow(_MOVE_POWER)).exp()),
        "spike": (pl.when(up * down > 1).then(up).otherwise(down), pl.lit(move_limit(interval))),
        "break": (pl.when(pl.col("apart") == 1).then(pl.col("open") / last), pl.lit(BREAK_LIMIT)),
    }
    prices = rows.filter(pl.all_horizontal(pl.col(name).is_finite() & (pl.col(name) > 0) for name in PRICES))
    prices = prices.filter(last.is_null() | (last.is_finite() & (last > 0)))
    found = []
    for rule, (ratio, limit) in limits.items():
        odd = prices.with_columns(figure=ratio, limit=limit).filter(
            (pl.col("figure") > pl.col("limit")) | (pl.col("figure") < 1 / pl.col("limit"))
        )
        found.append(
            odd.select(
                *_SERIES,
                pl.lit(rule).alias("rule"),
                "time",
                until=pl.col("time"),
                candles=pl.lit(1, pl.Int64),
                figure=pl.col("figure"),
                limit=pl.col("limit"),
            )
        )
    return pl.concat([pl.DataFrame(schema=ODDITY_SCHEMA), *found])


def run_flag(rule: str) -> pl.Expr:
    """Whether a row `with_previous` belongs to a run of one of `RUN_RULES`."""
    traded = pl.col("volume") > 0
    if rule == "no_volume":
        flag = pl.col("volume") == 0
    elif rule == "stale_close":
        flag = traded & (pl.col("apart") == 1) & (pl.col("close") == pl.col("last_close"))
    else:
        same = pl.all_horizontal(pl.col(name) == pl.col(f"last_{name}") for name in _VALUES)
        flag = traded & (pl.col("apart") == 1) & same
    return flag.fill_null(False)
