from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from cripto.market.selection import asset_series, preferred_series
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


def test_a_quote_it_is_retired_in_comes_after_all_others() -> None:
    candles = pl.concat([random_walk(["BTC"], 3, quote=quote) for quote in ("USDT", "USD", "ZAR")])
    assert quotes_of_retired(candles, ("BTC", "USDT")) == {"BTC": ["USD"]}
    assert quotes_of_retired(candles, ("BTC", "USDT"), ("BTC", "USD")) == {"BTC": ["ZAR"]}
    assert quotes_of_retired(candles, *(("BTC", quote) for quote in ("USDT", "USD", "ZAR"))) == {"BTC": ["USDT"]}
    assert quotes_of_retired(candles, ("ETH", "USDT")) == {"BTC": ["USDT"]}


def quotes_of_retired(candles: pl.DataFrame, *retired: tuple[str, str]) -> dict[str, list[str]]:
    chosen = preferred_series(candles, ["USDT", "USD"], retired)
    return {str(key[0]): part["quote"].unique().to_list() for key, part in chosen.group_by("symbol")}


def test_the_old_name_is_joined_before_the_quote_is_chosen() -> None:
    walk = random_walk(["POL"], 20, quote="USD")
    old = walk.head(12).with_columns(symbol=pl.lit("MATIC"))
    other = random_walk(["POL"], 4, quote="BRL", start=START + timedelta(days=16))
    assert_frame_equal(asset_series(pl.concat([old, walk.tail(8), other]), ["USDT", "USD"]), walk)
