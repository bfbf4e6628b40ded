import json
from pathlib import Path

import polars as pl
import pytest

from cripto.market.lake import open_lake
from tests.doubles.candles import HOURLY, random_walk
from tests.unit.cli.conftest import Command


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    path = tmp_path / "candles.csv"
    random_walk(["BTC", "ETH"], 90, source="exchange").drop("interval").write_csv(path)
    return path


def test_a_clean_file_is_imported_and_importing_twice_changes_nothing(
    cripto: Command, store: str, candles: Path
) -> None:
    first = cripto("candles", "import", candles)
    assert first.code == 0
    assert "180 of 180 rows accepted (180 new" in first.out
    version = open_lake(store).version()
    again = cripto("candles", "import", candles, "--json")
    assert again.code == 0
    report = json.loads(again.out)["files"][0]
    assert (report["inserted"], report["updated"], report["unchanged"]) == (0, 0, 180)
    assert open_lake(store).version() == version


def test_a_broken_row_is_named_with_its_rule_and_the_good_ones_arrive(
    cripto: Command, store: str, candles: Path
) -> None:
    lines = candles.read_text().splitlines()
    header = lines[0].split(",")
    row = lines[10].split(",")
    row[header.index("high")] = "0.000001"
    candles.write_text("\n".join([*lines[:10], ",".join(row), *lines[11:]]))
    result = cripto("candles", "import", candles)
    assert result.code == 1
    assert "row 11 BTC" in result.out
    assert "high_too_low" in result.out
    assert open_lake(store).read("1d").height == 179


def test_a_multiple_is_said_to_be_written_as_its_coin(cripto: Command, store: str, tmp_path: Path) -> None:
    random_walk(["1000SATS"], 9).write_csv(tmp_path / "sats.csv")
    result = cripto("candles", "import", tmp_path / "sats.csv")
    assert "1000SATS is 1000 SATS: written as SATS" in result.out
    assert set(open_lake(store).read("1d")["symbol"]) == {"SATS"}


def test_an_unusable_file_is_refused_and_the_others_are_imported(
    cripto: Command, store: str, candles: Path, tmp_path: Path
) -> None:
    rubbish = tmp_path / "rubbish.parquet"
    rubbish.write_bytes(b"PAR1 this is no Parquet file")
    result = cripto("candles", "import", rubbish, candles, "--json")
    assert result.code == 2
    report = json.loads(result.out)
    assert [item["accepted"] for item in report["files"]] == [180]
    assert "rubbish.parquet" in report["refused"][0]["file"]


def test_a_missing_file_is_refused_by_name(cripto: Command, store: str, tmp_path: Path) -> None:
    result = cripto("candles", "import", tmp_path / "nowhere.csv")
    assert result.code == 2
    assert "nowhere.csv" in result.err
    assert "Traceback" not in result.err


def test_check_passes_whole_series_and_names_gaps(cripto: Command, store: str) -> None:
    lake = open_lake(store)
    walk = random_walk(["BTC"], 30)
    lake.upsert(walk)
    assert cripto("candles", "check").code == 0
    other = random_walk(["ETH"], 30).filter(pl.int_range(pl.len()) != 10)
    lake.upsert(other)
    result = cripto("candles", "check", "--json")
    assert result.code == 1
    by_symbol = {item["symbol"]: item for item in json.loads(result.out)["series"]}
    assert by_symbol["BTC"]["gaps"] == 0
    assert (by_symbol["ETH"]["gaps"], by_symbol["ETH"]["missing"]) == (1, 1)


def test_check_shows_a_table(cripto: Command, filled: str) -> None:
    result = cripto("candles", "check", "--interval", "1d")
    assert result.code == 0
    assert "240 candles of 2 series" in result.out


def test_check_tells_coverage_gaps_and_what_is_worth_a_look(cripto: Command, store: str) -> None:
    day = pl.int_range(pl.len()).over("symbol")
    far = pl.when((pl.col("symbol") == "ETH") & (day == 20)).then(pl.col("high") * 9).otherwise("high")
    walk = random_walk(["BTC", "ETH"], 40).with_columns(high=far)
    open_lake(store).upsert(walk.filter((pl.col("symbol") == "ETH") | (day % 3 != 1)))
    result = cripto("candles", "check")
    assert result.code == 1
    assert "the longest 10 of 13 gaps" in result.out
    assert "BTC/USDT 1d: 1 missing, 2024-01-02 00:00" in result.out
    assert "67.50%" in result.out
    assert "ETH/USDT 1d 2024-01-21 00:00: spike: x9" in result.out
    assert cripto("candles", "check", "--gaps").out.count(" 1 missing") == 13
    # an odd bar alone is no fault
    later = cripto("candles", "check", "--since", "2024-02-09", "--json")
    assert later.code == 0
    assert json.loads(later.out)["since"] == "2024-02-09T00:00:00Z"


def test_an_odd_bar_alone_is_no_fault(cripto: Command, store: str) -> None:
    far = pl.when(pl.int_range(pl.len()) == 9).then(pl.col("low") / 9).otherwise("low")
    open_lake(store).upsert(random_walk(["BTC"], 12).with_columns(low=far))
    result = cripto("candles", "check", "--json")
    assert result.code == 0
    assert json.loads(result.out)["series"][0]["notices"] == {"spike": 1}


@pytest.mark.parametrize("name", ["page.png", "page.svg"])
def test_check_draws_a_picture(cripto: Command, filled: str, tmp_path: Path, name: str) -> None:
    result = cripto("candles", "check", "--picture", tmp_path / name)
    assert result.code == 0
    assert name in result.err
    assert (tmp_path / name).read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


def test_a_picture_of_another_form_is_refused_before_the_work(
    cripto: Command, filled: str, tmp_path: Path
) -> None:
    result = cripto("candles", "check", "--picture", tmp_path / "page.gif")
    assert result.code == 2
    assert "a picture is a .png or a .svg" in result.err
    assert "candles of" not in result.out


def test_an_unknown_interval_is_the_callers_fault(cripto: Command, filled: str) -> None:
    result = cripto("candles", "check", "--interval", "3d")
    assert result.code == 2
    assert "3d" in result.err


def test_candles_are_optimized_and_the_second_time_nothing_is_new(cripto: Command, store: str) -> None:
    candles = random_walk(["BTC"], 12)
    for count in range(1, 13):
        open_lake(store).upsert(candles.head(count))
    first = cripto("candles", "optimize")
    assert first.code == 0
    assert "12 files before, 1 now; 0 old files removed; version 12" in first.out
    assert "optimized" in first.err
    again = cripto("candles", "optimize", "--json", "--keep-days", "7")
    assert json.loads(again.out) == {"files_before": 1, "files": 1, "removed": 0, "version": 12}
    assert open_lake(store).read("1d").height == 12


def test_a_store_without_candles_has_nothing_to_optimize(cripto: Command, store: str) -> None:
    result = cripto("candles", "optimize")
    assert (result.code, result.out.strip()) == (0, "there are no candles yet")


def test_a_store_without_candles_has_nothing_to_check_or_to_derive_from(cripto: Command, store: str) -> None:
    checked = cripto("candles", "check", "--interval", "1h")
    assert (checked.code, checked.out.strip()) == (0, "there are no candles here yet")
    derived = cripto("candles", "derive", "--from", "1h", "--to", "4h", "--since", "2025-01-01")
    assert derived.code == 0
    assert derived.out.splitlines()[1:] == ["there are no candles of 1h since 2025-01-01 00:00"]


def test_files_younger_than_a_week_are_never_removed(cripto: Command, store: str) -> None:
    assert cripto("candles", "optimize", "--keep-days", "6").code == 2


def test_coarser_candles_are_derived_once_and_those_of_an_exchange_are_kept(cripto: Command, store: str) -> None:
    lake = open_lake(store)
    hours = random_walk(["BTC", "ETH"], 50, HOURLY)
    told = random_walk(["BTC"], 1, source="exchange")
    lake.upsert(pl.concat([hours, told]))
    first = cripto("candles", "derive", "--from", "1h", "--to", "4h", "--to", "1d", "--json")
    assert first.code == 0
    made = json.loads(first.out)["to"]
    assert {name: (change["inserted"], change["unchanged"]) for name, change in made.items()} == {
        "4h": (24, 0),
        "1d": (3, 1),
    }
    days = lake.read("1d")
    assert days.filter(pl.col("source") == "exchange").height == 1
    version = lake.version()
    again = cripto("candles", "derive", "--from", "1h", "--to", "4h", "--to", "1d")
    assert "1h to 4h: 0 new, 0 changed, 24 left as they were" in again.out
    assert lake.version() == version
    replaced = cripto("candles", "derive", "--from", "1h", "--to", "1d", "--replace", "--json")
    assert json.loads(replaced.out)["to"]["1d"]["updated"] == 1
    assert lake.read("1d")["source"].unique().to_list() == ["invented"]


def test_candles_that_do_not_divide_others_are_refused_before_any_is_made(cripto: Command, store: str) -> None:
    open_lake(store).upsert(random_walk(["BTC"], 48, HOURLY))
    result = cripto("candles", "derive", "--from", "1h", "--to", "1d", "--to", "15m")
    assert result.code == 2
    assert "15m cannot be made of those of 1h" in result.err
    assert open_lake(store).read("1d").is_empty()
