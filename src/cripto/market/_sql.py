"""Conditions and columns of the candle table, in the SQL of deltalake's query engine.

Only checked intervals, times and escaped symbols get into a text; ``interval`` is a word of SQL and always quoted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS, CANDLE_KEY
from cripto.domain.interval import Interval, parse_interval
from cripto.errors import InvalidInput

__all__ = [
    "COLUMNS",
    "SAME_KEY",
    "after",
    "between",
    "from_on",
    "numbered_runs",
    "of_interval",
    "of_symbols",
    "until",
    "window",
    "without",
]

COLUMNS = ", ".join(f'"{name}"' for name in CANDLE_COLUMNS)
"""All columns, in order."""

SAME_KEY = " AND ".join(f'held."{name}" = new."{name}"' for name in CANDLE_KEY)
"""Whether a row of ``held`` and one of ``new`` are the same candle."""


def window(rows: pl.DataFrame, alias: str = "") -> str:
    """Candles of the interval and within the times of ``rows``, which are of one interval."""
    first, last = rows["time"].min(), rows["time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise InvalidInput("no candles")
    inside = f'{alias}"time" >= {_instant(first)} AND {alias}"time" <= {_instant(last)}'
    return f"{of_interval(rows['interval'][0], alias)} AND {inside}"


def of_interval(name: str, alias: str = "") -> str:
    """Candles of one interval; raise `InvalidInput` if it is unknown."""
    return f"{alias}\"interval\" = '{parse_interval(name)}'"


def of_symbols(symbols: Iterable[str] | None) -> list[str]:
    """Candles of some symbols; no condition at all for ``None``."""
    if symbols is None:
        return []
    quoted = ", ".join("'" + symbol.replace("'", "''") + "'" for symbol in sorted(set(symbols)))
    return [f"symbol IN ({quoted})" if quoted else "false"]


def without(sources: Iterable[str]) -> list[str]:
    """Candles that come from none of some sources; no condition at all for none."""
    quoted = ", ".join("'" + source.replace("'", "''") + "'" for source in sorted(set(sources)))
    return [f"source NOT IN ({quoted})"] if quoted else []


def numbered_runs(interval: Interval, conditions: Iterable[str]) -> str:
    """A source of the candles of one interval with ``run``, which is equal within an unbroken run of a series.

    Along such a run, time grows by the interval wherever the row number grows by one.
    """
    number = 'row_number() OVER (PARTITION BY symbol, quote ORDER BY "time")'
    run = f"arrow_cast(\"time\", 'Int64') - {interval.seconds * 1_000_000} * arrow_cast({number}, 'Int64')"
    return (
        f'(SELECT symbol, quote, "interval", "time", {run} AS run FROM candles '  # noqa: S608
        f"WHERE {' AND '.join(conditions)})"
    )


def after(moment: datetime) -> str:
    """Candles that open after ``moment``."""
    return f'"time" > {_instant(moment)}'


def from_on(moment: datetime) -> str:
    """Candles that open at ``moment`` or after."""
    return f'"time" >= {_instant(moment)}'


def until(moment: datetime) -> str:
    """Candles that open at ``moment`` or before."""
    return f'"time" <= {_instant(moment)}'


def between(first: datetime | None, end: datetime | None) -> list[str]:
    """Candles that open at ``first`` or after, and before ``end``; no condition for ``None``."""
    begun = [] if first is None else [from_on(first)]
    return begun if end is None else [*begun, f'"time" < {_instant(end)}']


def _instant(moment: datetime) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
