"""From a file of candles, whatever its form, to one frame with our columns, and the rows that cannot be read."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cripto.domain.candle import CANDLE_COLUMNS
from cripto.errors import InvalidInput
from cripto.market._csv import read_csv
from cripto.market._parquet import read_parquet
from cripto.market._values import number, split_symbols, text, utc_time
from cripto.market.schema import PRICES
from cripto.market.validation import QUARANTINE_SCHEMA

__all__ = ["Contents", "read_candle_file"]

_NUMBERS = (*PRICES, "volume")
_COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds.

    ``candles``: ``row`` and the columns of the candle table, nulls where the file says nothing. ``refused``: rows
    that cannot be read, in the form of `QUARANTINE_SCHEMA`. ``rows``: of the file, both together.
    """

    candles: pl.DataFrame
    refused: pl.DataFrame

    @property
    def rows(self) -> int:
        """Rows of the file; one refused for two values counts once."""
        return self.candles.height + self.refused["row"].n_unique()


def read_candle_file(path: Path) -> Contents:
    """Read Parquet or separated text; raise `InvalidInput`, with the reason, for anything else."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4))
            end = file.read()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error
    if not start.strip():
        raise InvalidInput(f"{path}: the file is empty")
    if start.startswith(_COMPRESSED):
        raise InvalidInput(f"{path}: the file is compressed; unpack it first")
    parquet = start[:4] == b"PAR1" and end == b"PAR1"
    if not parquet and (b"\0" in start or start[:4] == b"PAR1"):
        raise InvalidInput(f"{path}: neither text nor a whole Parquet file")
    try:
        parts = [_typed(rows, lines) for rows, lines in (read_parquet(path) if parquet else read_csv(path))]
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error
    candles = pl.concat(part.candles for part in parts)
    split = split_symbols(candles["symbol"], glued=candles["quote"].null_count() == candles.height)
    candles = candles.with_columns(split["symbol"], quote=pl.coalesce("quote", split["quote"]))
    return Contents(candles, pl.concat(part.refused for part in parts))


def _typed(rows: pl.DataFrame, lines: pl.DataFrame) -> Contents:
    columns = {
        "row": rows["row"].cast(pl.Int64),
        "time": utc_time(rows["time"]),
        **{name: number(rows[name]) for name in _NUMBERS},
        **{
            name: text(rows[name])
            if name in rows.columns
            else pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
            for name in ("symbol", "quote", "interval", "source")
        },
    }
    candles = pl.DataFrame([column.alias(name) for name, column in columns.items()]).select("row", *CANDLE_COLUMNS)
    candles = candles.with_columns(pl.col("quote").str.to_uppercase())
    refused = [_unread(rows, candles, name, "not_a_number") for name in _NUMBERS] + [
        _unread(rows, candles, "time", "bad_time"),
        lines.select("row", detail="detail", rule=pl.lit("unreadable")) if lines.height else pl.DataFrame(),
    ]
    found = pl.concat(
        [pl.DataFrame(schema=QUARANTINE_SCHEMA), *(item for item in refused if item.height)], how="diagonal"
    )
    return Contents(candles.join(found.select("row").unique(), on="row", how="anti", maintain_order="left"), found)


def _unread(rows: pl.DataFrame, candles: pl.DataFrame, name: str, rule: str) -> pl.DataFrame:
    """The rows whose value of a column is a text that says nothing we can read."""
    if rows[name].dtype != pl.String:
        return pl.DataFrame()
    said = rows[name].str.strip_chars()
    bad = candles[name].is_null() & said.is_not_null() & (said != "")
    if not bad.any():
        return pl.DataFrame()
    shown = pl.format(f"{name}={{}}", said.filter(bad).str.head(100))
    return candles.filter(bad).select("row", "symbol", "quote", "time", rule=pl.lit(rule), detail=shown)
