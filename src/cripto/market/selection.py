"""One series per asset, the same one for training and for serving."""

from collections.abc import Sequence

import polars as pl

__all__ = ["preferred_series"]


def preferred_series(candles: pl.DataFrame, quotes: Sequence[str]) -> pl.DataFrame:
    """Keep one quote's candles of each symbol: the first of ``quotes`` it has.

    An asset known only in other quotes keeps the one with the most recent candle; ties go by name. Needs the
    columns ``symbol``, ``quote`` and ``time``, of one interval; keeps all columns and the order of rows.
    """
    rank = pl.DataFrame(
        {"quote": list(dict.fromkeys(quotes)), "rank": range(len(dict.fromkeys(quotes)))},
        schema={"quote": pl.String, "rank": pl.Int64},
    )
    chosen = (
        candles.group_by("symbol", "quote")
        .agg(pl.col("time").max())
        .join(rank, on="quote", how="left")
        .sort(["symbol", "rank", "time", "quote"], descending=[False, False, True, False], nulls_last=True)
        .unique("symbol", keep="first", maintain_order=True)
    )
    return candles.join(chosen, on=["symbol", "quote"], how="semi", maintain_order="left")
