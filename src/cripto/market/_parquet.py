"""Parquet files of candles."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from cripto.errors import InvalidInput
from cripto.market._columns import column_names

__all__ = ["read_parquet"]

_CHUNK_ROWS = 2_000_000


def read_parquet(path: Path) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield, in parts, the rows of a file: ``row`` (the first is 1) and the columns found, under our names.

    The second frame is always empty: a Parquet file is read or it is not. Raises `InvalidInput` if it is damaged
    or its columns cannot be told.
    """
    try:
        scan = pl.scan_parquet(path, glob=False)
        wanted = column_names(scan.collect_schema().names())
        rows = int(scan.select(pl.len()).collect().item())
        for start in range(0, max(rows, 1), _CHUNK_ROWS):
            part = (
                scan.slice(start, _CHUNK_ROWS)
                .select(**{to: pl.col(name) for to, name in wanted.items()})
                .collect()
            )
            yield part.with_row_index("row", offset=start + 1), pl.DataFrame()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"the Parquet file is damaged: {str(error).splitlines()[0][:200]}") from error
    except BaseException as error:
        # polars panics on some damaged files, which is no Exception to Python.
        if type(error).__name__ != "PanicException":
            raise
        raise InvalidInput("the Parquet file is damaged") from error
