from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from cripto.market.selection import preferred_series
from tests.doubles.candles import START, random_walk


def quotes_of(candles: pl.DataFrame, *quotes: str) -> dict[str, list[str]]:
    chosen = preferred_series(candles, quotes)
    return {str(key[0]): part["quote"].unique().to_list() for key, part in chosen.group_by("symbol")}


def test_the_first_quote_an_asset_has_is_kept() -> None:
    candles = pl.concat([random_walk(["BTC", "ETH"], 3, quote="USD"), random_walk(["BTC"], 3, quote="USDT")])
    assert quotes_of(candles, "USDT", "USD") == {"BTC": ["USDT"], "ETH": ["USD"]}
    assert quotes_of(candles, "USD", "USDT") == {"BTC": ["USD"], "ETH": ["USD"]}


def test_a_preferred_quote_wins_even_if_it_is_behind() -> None:
    candles = pl.concat([random_walk(["BTC"], 9, quote="USD"), random_walk(["BTC"], 2, quote="USDT")])
    assert quotes_of(candles, "USDT") == {"BTC": ["USDT"]}


def test_without_a_preferred_quote_the_most_recent_is_kept() -> None:
    late = random_walk(["BTC"], 3, quote="ZAR", start=START + timedelta(days=1))
    candles = pl.concat([random_walk(["BTC"], 3, quote="AUD"), late])
    assert quotes_of(candles, "USDT") == {"BTC": ["ZAR"]}


def test_ties_go_by_name() -> None:
    candles = pl.concat([random_walk(["BTC"], 3, quote=quote) for quote in ("JPY", "AUD", "ZAR")])
    assert quotes_of(candles, "USDT") == {"BTC": ["AUD"]}
    assert quotes_of(candles) == {"BTC": ["AUD"]}


def test_columns_and_order_of_rows_stay() -> None:
    candles = random_walk(["BTC", "ETH"], 20).sample(fraction=1.0, shuffle=True, seed=3).with_columns(extra=1)
    assert_frame_equal(preferred_series(candles, ["USDT", "USDT"]), candles)


def test_no_candles_give_none() -> None:
    candles = random_walk(["BTC"], 2)
    assert_frame_equal(preferred_series(candles.clear(), ["USDT"]), candles.clear())
