"""Laws of renaming and of breaks, on invented candles."""

from datetime import timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cripto.domain.candle import CANDLE_KEY
from cripto.market.identity import BREAK_RATIO, PART, after_last_break, listed_asset, parted, renamed
from cripto.market.schema import CANDLE_SCHEMA
from tests.doubles.candles import START

RENAMES = {"OLD": "NEW", "OLDER": "NEW", "WAS": "IS"}
SORTED = ["symbol", "quote", "time"]

prices = st.sampled_from([0.01, 0.02, 1.0, 1.5, 2.9, 3.1, 100.0, 0.0, float("inf"), float("nan")])


@st.composite
def series_of_candles(draw: st.DrawFn) -> pl.DataFrame:
    """Few symbols and days, so that much of it meets; every key once, in an order of its own."""
    keys = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["OLD", "OLDER", "NEW", "WAS", "IS", "BTC"]),
                st.sampled_from(["USDT", "USD"]),
                st.integers(0, 9),
            ),
            max_size=40,
            unique=True,
        )
    )
    rows = [
        (symbol, quote, "1d", START + timedelta(days=day), *draw(st.tuples(*[prices] * 5)), "one")
        for symbol, quote, day in keys
    ]
    return pl.DataFrame(rows, schema=CANDLE_SCHEMA, orient="row")


def of(frame: pl.DataFrame, *symbols: str) -> pl.DataFrame:
    return frame.filter(pl.col("symbol").is_in(symbols)).sort(SORTED)


@given(series_of_candles())
def test_what_is_renamed_is_renamed_once_and_for_all(frame: pl.DataFrame) -> None:
    once = renamed(frame, RENAMES)
    assert_frame_equal(renamed(once, RENAMES), once)
    assert once.select(CANDLE_KEY).is_duplicated().sum() == 0


@given(series_of_candles(), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(frame: pl.DataFrame, seed: int) -> None:
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    # which of two old names tells a time is decided by what comes first
    names = {"OLD": "NEW", "WAS": "IS"}
    assert_frame_equal(renamed(shuffled, names).sort(SORTED), renamed(frame, names).sort(SORTED))
    assert_frame_equal(parted(shuffled).sort(SORTED), parted(frame).sort(SORTED))
    assert_frame_equal(after_last_break(shuffled).sort(SORTED), after_last_break(frame).sort(SORTED))
    assert_frame_equal(parted(frame.sort(SORTED)), parted(frame).sort(SORTED))


@given(series_of_candles())
def test_candles_of_other_assets_and_of_the_new_name_stay_as_they_are(frame: pl.DataFrame) -> None:
    found = renamed(frame, RENAMES)
    assert_frame_equal(of(found, "BTC"), of(frame, "BTC"))
    own = of(frame, "NEW", "IS")
    assert_frame_equal(found.join(own, on=CANDLE_KEY, how="semi").sort(SORTED), own)


@given(series_of_candles())
def test_an_old_name_is_there_only_where_the_new_one_is_not(frame: pl.DataFrame) -> None:
    found = set(renamed(frame, RENAMES)["symbol"])
    assert not found & {old for old, new in RENAMES.items() if new in found}


@given(series_of_candles(), st.integers(0, 9))
def test_what_comes_later_changes_no_part(frame: pl.DataFrame, day: int) -> None:
    past = pl.col("time") < START + timedelta(days=day)
    assert_frame_equal(parted(frame.filter(past)), parted(frame).filter(past))


@given(series_of_candles(), st.sampled_from(["BTC", "NEW"]))
def test_each_series_breaks_for_itself(frame: pl.DataFrame, symbol: str) -> None:
    assert_frame_equal(parted(of(frame, symbol)), of(parted(frame), symbol))
    assert_frame_equal(after_last_break(of(frame, symbol)), of(after_last_break(frame), symbol))


@given(series_of_candles())
def test_no_break_is_left_and_each_series_ends_as_it_did(frame: pl.DataFrame) -> None:
    found = after_last_break(frame)
    assert_frame_equal(after_last_break(found), found)
    assert parted(found)[PART].to_list() == [0] * len(found)
    lasts = [
        one.group_by("symbol", "quote").agg(pl.col("time").max()).sort("symbol", "quote") for one in (found, frame)
    ]
    assert_frame_equal(*lasts)


@given(series_of_candles())
def test_the_slow_oracle_finds_the_same_parts(frame: pl.DataFrame) -> None:
    expected = []
    for row in parted(frame).iter_rows(named=True):
        own = frame.filter((pl.col("symbol") == row["symbol"]) & (pl.col("quote") == row["quote"])).sort("time")
        part, close = 0, None
        for other in own.filter(pl.col("time") <= row["time"]).iter_rows(named=True):
            opened = other["open"]
            if close is not None and 0 < close < float("inf") and 0 < opened < float("inf"):
                part += opened / close > BREAK_RATIO or close / opened > BREAK_RATIO
            close = other["close"]
        expected.append(part)
    assert parted(frame)[PART].to_list() == expected


@given(st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True))
def test_a_base_is_its_factor_and_the_coins_name(base: str) -> None:
    coin, factor = listed_asset(base)
    assert coin
    assert base in {coin, f"{factor}{coin}", f"{factor // 1_000_000}M{coin}"}
    assert (factor == 1) == (coin == base)
