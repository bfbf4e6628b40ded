"""Files whose assets are multiples of a coin: they become the coin, as what is fetched does."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.errors import InvalidInput
from cripto.market.identity import normalised
from tests.doubles.candles import random_walk
from tests.doubles.import_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_multiples_become_the_coin_and_the_report_says_so(desk: Desk) -> None:
    names = ["1000SATS", "1INCH", "1MBABYDOGE", "BTC"]
    candles = random_walk(names, 20)
    report = desk.frame(candles.sample(fraction=1, shuffle=True, seed=1))
    assert report.to_json()["multiples"] == {
        "1000SATS": {"symbol": "SATS", "factor": 1000},
        "1MBABYDOGE": {"symbol": "BABYDOGE", "factor": 1_000_000},
    }
    assert report.symbols == ("1INCH", "BABYDOGE", "BTC", "SATS")
    held = desk.lake.read("1d")
    for name, coin, factor in (
        ("1000SATS", "SATS", 1000),
        ("1MBABYDOGE", "BABYDOGE", 1_000_000),
        ("1INCH", "1INCH", 1),
        ("BTC", "BTC", 1),
    ):
        wanted = normalised(candles.filter(symbol=name), coin, factor)
        assert_frame_equal(held.filter(symbol=coin), wanted, check_row_order=False)
    assert desk.frame(candles).upsert.unchanged == 80


def test_a_multiple_that_is_told_by_the_caller_is_one_too(desk: Desk) -> None:
    report = desk.frame(random_walk(["X"], 5).drop("symbol"), symbol="1000pepe")
    assert (report.symbols, report.multiples) == (("PEPE",), {"1000PEPE": ("PEPE", 1000)})


def test_bad_rows_of_a_multiple_are_quarantined_by_their_numbers(desk: Desk) -> None:
    candles = random_walk(["1000SATS", "BTC"], 3).with_row_index()
    broken = candles.with_columns(close=pl.when(pl.col("index") == 1).then(-1.0).otherwise("close")).drop("index")
    report = desk.frame(broken)
    assert report.accepted == 5
    assert set(report.quarantine["row"]) == {2}
    assert "non_positive" in report.rules


def test_one_coin_under_two_names_in_a_quote_is_refused_before_anything_is_written(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="1000SATS and SATS are one coin"):
        desk.frame(random_walk(["1000SATS", "BTC", "SATS"], 5))
    assert desk.lake.version() is None
    apart = pl.concat([random_walk(["1000SATS"], 5), random_walk(["SATS"], 5, quote="USDC")])
    assert desk.frame(apart).accepted == 10
