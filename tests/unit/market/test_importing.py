import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cripto.domain.interval import INTERVALS
from cripto.errors import InvalidInput
from cripto.market.importing import ImportReport, import_file
from tests.doubles.candles import HOURLY, random_walk
from tests.doubles.import_desk import NOW, Desk

SEED_HEADER = "symbol|datetime|timestamp|high|low|open|close|volumefrom|volumeto"
SEED_ROWS = [
    "BTC|2025-07-01 00:00:00|1751328000|10|5|6|7|100|700",
    "BTC|2025-07-02 00:00:00|1751414400|11|6|7|8|110|800",
    "BTC|2025-07-03 00:00:00|1751500800|12|7|8|9|120|900",
]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def broken(report: ImportReport) -> list[tuple[int, str]]:
    return [(row, rule) for row, rule in report.quarantine.select("row", "rule").iter_rows()]


@pytest.mark.parametrize("lines", [[SEED_HEADER, *SEED_ROWS], SEED_ROWS], ids=["header", "no header"])
def test_the_pipelines_raw_csv_arrives(desk: Desk, lines: list[str]) -> None:
    report = desk.text(*lines, name="raw.csv")
    assert (report.rows, report.accepted, report.interval, report.symbols) == (3, 3, "1d", ("BTC",))
    first = desk.lake.read("1d").row(0, named=True)
    assert first == {
        "symbol": "BTC",
        "quote": "USDT",
        "interval": "1d",
        "time": datetime(2025, 7, 1, tzinfo=UTC),
        "open": 6.0,
        "high": 10.0,
        "low": 5.0,
        "close": 7.0,
        "volume": 100.0,
        "source": "raw.csv",
    }


def test_a_parquet_file_keeps_symbol_quote_interval_and_source(desk: Desk) -> None:
    candles = random_walk(["BTC", "ETH"], 20, HOURLY, quote="BRL", source="exchange")
    report = desk.frame(candles)
    assert (report.interval, report.accepted, report.upsert.inserted) == ("1h", 40, 40)
    assert_frame_equal(desk.lake.read("1h"), candles)


def test_importing_twice_changes_nothing(desk: Desk) -> None:
    candles = random_walk(["BTC", "ETH"], 20)
    desk.frame(candles)
    again = desk.frame(candles).upsert
    assert (again.inserted, again.updated, again.unchanged, again.version) == (0, 0, 40, 0)


@pytest.mark.parametrize("step", ["1m", "15m", "1h", "4h", "1d"])
def test_the_interval_is_inferred_from_the_commonest_spacing(desk: Desk, step: str) -> None:
    candles = random_walk(["BTC", "ETH"], 30, INTERVALS[step]).drop("interval")
    holed = candles.filter(~pl.int_range(pl.len()).is_in([3, 4, 9, 40]))
    assert desk.frame(holed).interval == step


def test_an_interval_given_is_not_inferred(desk: Desk, tmp_path: Path) -> None:
    random_walk(["BTC"], 1).drop("interval").write_parquet(tmp_path / "one.parquet")
    with pytest.raises(InvalidInput, match="interval"):
        import_file(tmp_path / "one.parquet", desk.lake, now=NOW)
    report = import_file(tmp_path / "one.parquet", desk.lake, now=NOW, interval=INTERVALS["1d"])
    assert report.accepted == 1


def test_a_spacing_that_is_no_interval_is_refused(desk: Desk) -> None:
    weekly = random_walk(["BTC"], 30).drop("interval").gather_every(7)
    with pytest.raises(InvalidInput, match="7 days"):
        desk.frame(weekly)


def test_several_intervals_in_one_file_are_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="1d, 1h"):
        desk.frame(pl.concat([random_walk(["BTC"], 3), random_walk(["BTC"], 3, HOURLY)]))


def test_quote_source_and_symbol_given_fill_in_only_what_the_file_does_not_say(desk: Desk) -> None:
    bare = random_walk(["BTC"], 3).drop("symbol", "quote", "source", "interval")
    desk.frame(bare, symbol="eth", quote="brl", source="me")
    assert desk.lake.read("1d").select("symbol", "quote", "source").unique().rows() == [("ETH", "BRL", "me")]
    desk.frame(random_walk(["BTC"], 3, source="file"), symbol="LTC", quote="EUR", source="me")
    assert desk.lake.read("1d", symbols=["BTC"]).select("quote", "source").unique().rows() == [("USDT", "file")]


def test_a_file_without_symbols_says_what_is_needed(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="no column names the asset"):
        desk.frame(random_walk(["BTC"], 3).drop("symbol"))


def test_the_default_quote_is_the_callers(desk: Desk) -> None:
    desk.frame(random_walk(["BTC"], 3).drop("quote"), default_quote="USD")
    assert desk.lake.series()[0].quote == "USD"


def test_bad_rows_are_named_by_line_and_rule_and_good_ones_arrive(desk: Desk) -> None:
    report = desk.text(
        SEED_HEADER,
        *SEED_ROWS,
        "BTC|2025-07-04 00:00:00",
        "BTC|2025-07-04 00:00:00|1751587200|abc|7|8|9|120|900",
        "BTC|2025-07-04 00:00:00|yesterday|12|7|8|9|120|900",
        "|2025-07-04 00:00:00|1751587200|12|7|8|9|120|900",
        "BTC|2025-07-04 00:00:00|1751587200|12|7|8||120|900",
        "BTC|2025-07-04 00:00:00|1751587200|12|7|0|9|120|900",
        '"BTC|2025-07-04 00:00:00|1751587200|12|7|8|9|120|900',
        "BTC|2025-07-04 00:00:00|1751587200|12|7|8|9|120|900|1",
        "BTC|2025-07-04 00:00:00|1751587200|12|7|8|9|120|900",
        name="raw.csv",
    )
    assert broken(report) == [
        (5, "unreadable"),
        (6, "not_a_number"),
        (7, "bad_time"),
        (8, "bad_symbol"),
        (9, "not_a_number"),
        (10, "non_positive"),
        (10, "low_too_high"),
        (11, "unreadable"),
        (12, "unreadable"),
    ]
    details = dict(report.quarantine.select("row", "detail").unique("row", keep="first").iter_rows())
    assert details[6] == "high=abc"
    assert details[7] == "time=yesterday"
    assert "2 fields, not 9" in details[5]
    assert "unbalanced quotes" in details[11]
    assert (report.rows, report.accepted, report.quarantined) == (12, 4, 8)
    assert desk.lake.read("1d").height == 4


def test_a_line_that_is_not_text_is_quarantined(desk: Desk) -> None:
    good = [SEED_HEADER, *SEED_ROWS]
    content = (
        "\n".join(good).encode() + b"\nB\xe7C|x|1|1|1|1|1|1|1\n" + b"x" * 200_000 + b"\n" + SEED_ROWS[0].encode()
    )
    report = desk.binary(content)
    assert broken(report) == [(5, "unreadable"), (6, "unreadable"), (7, "duplicate")]
    assert "longer than" in report.quarantine["detail"][1]


def test_a_comma_for_a_point_is_not_guessed_at(desk: Desk) -> None:
    report = desk.text(
        "symbol;date;open;high;low;close;volume",
        "BTC;2025-01-01;1;2;0,5;1;3",
        "BTC;2025-01-02;1;2;0.5;1;3",
        "BTC;2025-01-03;1;2;0.5;1;3",
    )
    assert broken(report) == [(2, "not_a_number")]


def test_days_before_months_are_not_guessed_at(desk: Desk) -> None:
    report = desk.text(
        "symbol,date,open,high,low,close,volume", "BTC,02/01/2025,1,2,1,1,1", "BTC,03/01/2025,1,2,1,1,1"
    )
    assert broken(report) == [(2, "bad_time"), (3, "bad_time")]


def test_a_file_of_only_bad_rows_is_reported_and_writes_nothing(desk: Desk) -> None:
    report = desk.frame(random_walk(["BTC"], 5).with_columns(close=-1.0))
    assert (report.accepted, report.quarantined, report.upsert.version) == (0, 5, None)
    assert desk.lake.version() is None
    assert report.to_json()["first"] is None


REFUSED = {
    "empty": (b"", "empty"),
    "blank": (b"\n \n\n", "empty"),
    "header only": (b"symbol,date,open,high,low,close,volume\n", "no candles"),
    "no volume": (b"symbol,date,open,high,low,close\nBTC,2025-01-01,1,1,1,1\n", "no column for volume"),
    "prose": (b"hello\nworld\n", "no line names the columns"),
    "rubbish": (bytes(range(256)) * 50, "neither text nor a whole Parquet file"),
    "gzip": (b"\x1f\x8b\x08" + b"x" * 50, "compressed"),
    "zip": (b"PK\x03\x04" + b"x" * 50, "compressed"),
    "half Parquet": (b"PAR1" + b"x" * 50, "whole Parquet"),
    "fake Parquet": (b"PAR1" + b"x" * 50 + b"PAR1", "damaged"),
    "names twice": (
        b"symbol,date,open,high,low,close,close,volume\nBTC,2025-01-01,1,1,1,1,1,1\n",
        "several columns",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_its_name_and_the_reason(desk: Desk, case: str) -> None:
    content, reason = REFUSED[case]
    with pytest.raises(InvalidInput, match=reason) as caught:
        desk.binary(content, name="some.csv")
    assert "some.csv" in str(caught.value)
    assert desk.lake.version() is None


def test_a_missing_file_and_a_folder_are_refused(desk: Desk, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InvalidInput, match=str(path)):
            import_file(path, desk.lake, now=NOW)


def test_a_parquet_column_of_the_wrong_kind_is_refused(desk: Desk) -> None:
    with pytest.raises(InvalidInput, match="not numbers"):
        desk.frame(random_walk(["BTC"], 2).with_columns(close=pl.lit(True)))
    with pytest.raises(InvalidInput, match="not times"):
        desk.frame(random_walk(["BTC"], 2).with_columns(time=pl.lit(True)))


def test_damage_anywhere_in_a_parquet_file_never_passes_for_good_candles_of_others(
    desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "whole.parquet"
    random_walk(["BTC"], 300).write_parquet(path)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(20):
            content[chance.randrange(4, len(content) - 4)] = chance.randrange(256)
        try:
            report = desk.binary(bytes(content), name="damaged.parquet")
        except InvalidInput:
            continue
        assert report.accepted + report.quarantined == report.rows


def test_an_import_reads_long_files_in_parts(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cripto.market._csv._CHUNK_LINES", 7)
    monkeypatch.setattr("cripto.market._parquet._CHUNK_ROWS", 7)
    candles = random_walk(["BTC", "ETH"], 25)
    lines = candles.write_csv().splitlines()
    lines.insert(20, "ragged")
    report = desk.text(*lines)
    assert broken(report) == [(21, "unreadable")]
    assert_frame_equal(desk.lake.read("1d"), candles)
    spoilt = candles.with_columns(close=pl.when(pl.int_range(pl.len()) == 30).then(-1.0).otherwise("close"))
    assert {row for row, _ in broken(desk.frame(spoilt))} == {31}


def test_the_report_is_json_and_says_it_all(desk: Desk) -> None:
    candles = random_walk(["BTC"], 10)
    holed = pl.concat([candles.head(3), candles.tail(4).with_columns(volume=pl.lit(0.0))])
    report = desk.frame(pl.concat([holed, candles.head(1).with_columns(low=pl.lit(None, pl.Float64))]))
    value = json.loads(json.dumps(report.to_json()))
    assert value == {
        "file": "candles.parquet",
        "interval": "1d",
        "rows": 8,
        "accepted": 7,
        "quarantined": 1,
        "rules": {"not_a_number": 1},
        "notices": {"gap": 1, "zero_volume": 4},
        "inserted": 7,
        "updated": 0,
        "unchanged": 0,
        "version": 0,
        "multiples": {},
        "symbols": ["BTC"],
        "first": "2024-01-01T00:00:00Z",
        "last": "2024-01-10T00:00:00Z",
        "gaps": {
            "count": 1,
            "missing": 3,
            "longest": [
                {
                    "symbol": "BTC",
                    "quote": "USDT",
                    "after": "2024-01-03T00:00:00Z",
                    "before": "2024-01-07T00:00:00Z",
                    "missing": 3,
                }
            ],
        },
        "examples": value["examples"],
    }
    assert [(item["row"], item["rule"], item["symbol"]) for item in value["examples"]] == [
        (8, "not_a_number", "BTC")
    ]


def test_an_open_candle_waits_for_its_close(desk: Desk, tmp_path: Path) -> None:
    random_walk(["BTC"], 3).write_parquet(tmp_path / "live.parquet")
    early = import_file(tmp_path / "live.parquet", desk.lake, now=datetime(2024, 1, 3, 12, tzinfo=UTC))
    assert broken(early) == [(3, "open_candle")]
    late = import_file(tmp_path / "live.parquet", desk.lake, now=datetime(2024, 1, 4, tzinfo=UTC))
    assert (late.quarantined, late.upsert.inserted) == (0, 1)


def test_the_dirty_file_delivers_its_good_rows(desk: Desk, dirty_file: Path) -> None:
    report = import_file(dirty_file, desk.lake, now=NOW)
    assert (report.rows, report.accepted, report.quarantined) == (3100, 2875, 225)
    assert report.rules == {"high_too_low": 64, "low_too_high": 127, "non_positive": 34}
    assert report.notices["zero_volume"] == 37
    assert {item.quote for item in desk.lake.series()} == {"USD"}


def test_the_clean_files_arrive_whole(desk: Desk, daily_file: Path, gap_file: Path) -> None:
    daily, gapped = (import_file(path, desk.lake, now=NOW) for path in (daily_file, gap_file))
    assert (daily.accepted, daily.quarantined, daily.interval, len(daily.symbols)) == (66741, 0, "1d", 39)
    assert (gapped.accepted, gapped.quarantined, gapped.gaps.height) == (3575, 0, 3)
    assert gapped.gaps["before"][0] - gapped.gaps["after"][0] == timedelta(days=13)


def test_control_characters_of_a_file_do_not_reach_the_report(desk: Desk) -> None:
    report = desk.text(
        SEED_HEADER, *SEED_ROWS, "\x1b[31mBTC|x|1751587200|12|7|8|9|1|1", "\x1b]0;ragged", name="raw.csv"
    )
    assert broken(report) == [(5, "bad_symbol"), (6, "unreadable")]
    assert "\x1b" not in "".join(
        report.quarantine.select(pl.concat_str("symbol", "detail", ignore_nulls=True)).to_series()
    )
