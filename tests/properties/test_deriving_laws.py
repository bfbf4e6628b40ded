"""Laws of coarser candles made of finer ones, on invented candles with holes."""

from random import Random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.market.deriving import derived
from tests.doubles.candles import START, random_walk

QUARTER, HOUR, FOUR = INTERVALS["15m"], INTERVALS["1h"], INTERVALS["4h"]
COUNT = 64


@st.composite
def with_holes(draw: st.DrawFn) -> pl.DataFrame:
    """Up to 16 hours of two assets from any quarter of a day on, a few candles missing, of up to three sources."""
    start = START + draw(st.integers(0, 40)) * QUARTER.step
    whole = random_walk(["BTC", "ETH"], COUNT, QUARTER, start, seed=draw(st.integers(0, 5)))
    missing = draw(st.sets(st.integers(0, 2 * COUNT - 1), max_size=4))
    names = draw(st.lists(st.sampled_from(["kraken", "binance", "coinbase"]), min_size=1, max_size=3))
    told = whole.with_columns(
        source=pl.Series([names[place * 7 // COUNT % len(names)] for place in range(2 * COUNT)])
    )
    return told.with_row_index().filter(~pl.col("index").is_in(list(missing))).drop("index")


@given(with_holes())
def test_by_way_of_hours_is_the_same(candles: pl.DataFrame) -> None:
    direct = derived(candles, QUARTER, FOUR)
    stages = derived(derived(candles, QUARTER, HOUR), HOUR, FOUR)
    # sums of sums round in another place
    assert_frame_equal(stages, direct, check_exact=False, rel_tol=1e-14, abs_tol=0)
    assert_frame_equal(stages.drop("volume"), direct.drop("volume"), check_exact=True)


@given(with_holes(), st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(candles: pl.DataFrame, seed: int) -> None:
    order = list(range(candles.height))
    Random(seed).shuffle(order)
    assert_frame_equal(derived(candles[order], QUARTER, HOUR), derived(candles, QUARTER, HOUR), check_exact=True)


@given(with_holes())
def test_exactly_the_whole_ones_appear(candles: pl.DataFrame) -> None:
    held = set(candles.select("symbol", "time").rows())
    starts = {(symbol, FOUR.floor(time)) for symbol, time in held}
    whole = {
        (symbol, start)
        for symbol, start in starts
        if all((symbol, start + place * QUARTER.step) in held for place in range(16))
    }
    assert set(derived(candles, QUARTER, FOUR).select("symbol", "time").rows()) == whole


@given(with_holes())
def test_one_asset_is_made_as_among_others(candles: pl.DataFrame) -> None:
    alone = derived(candles.filter(pl.col("symbol") == "ETH"), QUARTER, HOUR)
    among = derived(candles, QUARTER, HOUR).filter(pl.col("symbol") == "ETH")
    assert_frame_equal(alone, among, check_exact=True)
