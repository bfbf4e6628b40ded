"""One series per asset, the same one for training and for serving."""

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from cripto.market.identity import RENAMES, renamed
from cripto.market.listings import Listings

__all__ = ["asset_series", "preferred_series"]

_NOTHING_LISTED = Listings()


def asset_series(
    candles: pl.DataFrame,
    quotes: Sequence[str],
    listings: Listings = _NOTHING_LISTED,
    renames: Mapping[str, str] = RENAMES,
) -> pl.DataFrame:
    """The candles of each asset: those of its old name with those of the new one, in one quote.

    See `renamed` and `preferred_series`; a quote that ``listings`` say it is retired in comes after all others. A
    series may still break, see `cripto.market.identity.parted`.
    """
    return preferred_series(renamed(candles, renames), quotes, listings.retired_series)


def preferred_series(
    candles: pl.DataFrame, quotes: Sequence[str], retired: Collection[tuple[str, str]] = ()
) -> pl.DataFrame:
    """Keep one quote's candles of each symbol: the first of ``quotes`` it has.

    An asset known only in other quotes keeps the one with the most recent candle; ties go by name. A symbol and
    quote in ``retired`` is kept only if the symbol has no other. Needs the columns ``symbol``, ``quote`` and
    ``time``, of one interval; keeps all columns and the order of rows.
    """
    rank = pl.DataFrame(
        {"quote": list(dict.fromkeys(quotes)), "rank": range(len(dict.fromkeys(quotes)))},
        schema={"quote": pl.String, "rank": pl.Int64},
    )
    gone = pl.DataFrame(list(retired), {"symbol": pl.String, "quote": pl.String}, orient="row")
    chosen = (
        candles.group_by("symbol", "quote")
        .agg(pl.col("time").max())
        .join(rank, on="quote", how="left")
        .join(gone.with_columns(gone=True), on=["symbol", "quote"], how="left")
        .sort(
            ["symbol", pl.col("gone").fill_null(False), "rank", "time", "quote"],
            descending=[False, False, False, True, False],
            nulls_last=True,
        )
        .unique("symbol", keep="first", maintain_order=True)
    )
    return candles.join(chosen, on=["symbol", "quote"], how="semi", maintain_order="left")
