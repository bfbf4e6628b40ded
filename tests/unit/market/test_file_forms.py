"""Delimiters, columns, times and symbols as files in the wild have them."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.doubles.candles import random_walk
from tests.doubles.import_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(desk: Desk, delimiter: str) -> None:
    lines = [
        "symbol,date,open,high,low,close,volume",
        "BTC,2025-01-01,1,2,0.5,1.5,3",
        "BTC,2025-01-02,1,2,0.5,1.5,3",
    ]
    assert desk.text(*(line.replace(",", delimiter) for line in lines)).accepted == 2


LAYOUTS = {
    "CryptoDataDownload": (
        "https://www.CryptoDataDownload.com",
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount",
        "1579219200000,2020-01-17 00:00:00,BTC/USDT,1,2,0.5,1.5,3,4,9",
        "1579132800,2020-01-16 00:00:00,BTC/USDT,1,2,0.5,1.5,3,4,9",
    ),
    "CryptoDataDownload of old": (
        "Timestamps are UTC timezone,https://www.CryptoDataDownload.com",
        "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT",
        "2020-01-17 12-AM,BTCUSDT,1,2,0.5,1.5,3,4",
        "2020-01-16 12-AM,BTCUSDT,1,2,0.5,1.5,3,4",
    ),
    "capitals, BOM and CRLF": (
        "\ufeffSYMBOL;TIME;OPEN;HIGH;LOW;CLOSE;VOLUME\r",
        "btc-usdt;2020-01-16T00:00:00Z;1;2;0.5;1.5;3\r",
        "btc-usdt;2020-01-17T00:00:00.000Z;1;2;0.5;1.5;3\r",
    ),
    "offsets": (
        "pair,date,open,high,low,close,volume",
        "BTC_USDT,2020-01-15T21:00:00-03:00,1,2,0.5,1.5,3",
        "BTC_USDT,2020-01-17 02:00:00+02:00,1,2,0.5,1.5,3",
    ),
    "quoted": (
        '"symbol","date","open","high","low","close","volume","note"',
        '"BTC","2020-01-16","1","2","0.5","1.5","3","a, b"',
        '"BTC","2020-01-17","1","2","0.5","1.5","3",""',
    ),
    "microseconds": (
        "symbol,open_time,open,high,low,close,volume",
        "BTC,1579132800000000,1,2,0.5,1.5,3",
        "BTC,1579219200000000.0,1,2,0.5,1.5,3",
    ),
    "portuguese": (
        "ativo,data,abertura,máxima,mínima,fechamento,volume",
        "BTC,2020-01-16,1,2,0.5,1.5,3",
        "BTC,2020-01-17,1,2,0.5,1.5,3",
    ),
    "blank lines and spaces": (
        "symbol , date , open , high , low , close , volume",
        "",
        " BTC , 2020-01-16 , 1 , 2 , 0.5 , 1.5 , 3 ",
        "   ",
        "BTC,2020-01-17,1,2,0.5,1.5,3",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_common_layout_is_understood(desk: Desk, layout: str) -> None:
    report = desk.text(*LAYOUTS[layout])
    assert report.rules == {}
    held = desk.lake.read("1d")
    assert held["time"].to_list() == [datetime(2020, 1, 16, tzinfo=UTC), datetime(2020, 1, 17, tzinfo=UTC)]
    assert held.select("symbol", "quote", "open", "high", "low", "close", "volume").unique().rows() == [
        ("BTC", "USDT", 1.0, 2.0, 0.5, 1.5, 3.0)
    ]


@pytest.mark.parametrize(
    ("symbols", "series"),
    [
        (["BTCUSDT", "ETHUSD"], [("BTC", "USDT"), ("ETH", "USD")]),
        (["BTC/EUR", "WBTC"], [("BTC", "EUR"), ("WBTC", "USDT")]),
        (["WBTC", "STETH"], [("STETH", "USDT"), ("WBTC", "USDT")]),
        (["BTC", "TUSD"], [("BTC", "USDT"), ("TUSD", "USDT")]),
        (["TUSD"], [("TUSD", "USDT")]),
        (["1000PEPEUSDC"], [("PEPE", "USDC")]),
        (["BTCFDUSD"], [("BTC", "FDUSD")]),
    ],
)
def test_a_pair_is_split_only_where_it_is_one(
    desk: Desk, symbols: list[str], series: list[tuple[str, str]]
) -> None:
    candles = pl.concat(random_walk([symbol], 2) for symbol in symbols).drop("quote")
    desk.frame(candles)
    assert [(item.symbol, item.quote) for item in desk.lake.series()] == series


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([datetime(2025, 1, 1), datetime(2025, 1, 2)]),
        pl.Series([datetime(2025, 1, 1), datetime(2025, 1, 2)]).dt.date(),
        pl.Series([1735689600, 1735776000]),
        pl.Series([1735689600.0, 1735776000.0]),
        pl.Series([1735689600_000_000_000, 1735776000_000_000_000]),
        pl.Series(["20250101", "20250102"]),
        pl.Series(["2025/01/01", "2025/01/02"]),
        pl.Series([datetime(2025, 1, 1), datetime(2025, 1, 2)])
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/Sao_Paulo"),
    ],
    ids=["naive", "date", "seconds", "float", "nanoseconds", "digits", "slashes", "other zone"],
)
def test_a_parquet_file_may_tell_time_in_many_ways(desk: Desk, times: pl.Series) -> None:
    report = desk.frame(random_walk(["BTC"], 2).with_columns(time=times))
    assert (report.first, report.last) == (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))
