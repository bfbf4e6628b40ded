"""The fetch command held to the real exchanges. Run by hand: ``pytest -m online tests/online``."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cripto.domain.clock import SystemClock
from cripto.domain.interval import INTERVALS
from cripto.market.lake import open_lake
from cripto.market.validation import validate
from tests.doubles.processes import command, kill_after, serving

pytestmark = [pytest.mark.online, pytest.mark.timeout(300)]

EXCHANGES = ("binance", "bybit", "coinbaseexchange", "kraken", "mercado")
DAYS = 5
DAY = INTERVALS["1d"]


def fetch(folder: Path, *options: str) -> dict[str, Any]:
    """Fetch two coins since a few days; what the command says of it."""
    done = command(
        *("candles", "fetch", "--symbols", "BTC,ETH", "--since", str(DAYS), "--json"),
        *options,
        env={"CRIPTO_STORE": (folder / "store").as_uri()},
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def held(folder: Path) -> pl.DataFrame:
    return open_lake((folder / "store").as_uri()).read("1d")


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_few_days_are_fetched_whole_and_the_second_time_nothing_is_new(name: str, tmp_path: Path) -> None:
    first = fetch(tmp_path, "--exchange", name)
    # one candle may close while this runs
    assert 2 * DAYS <= first["inserted"] <= 2 * (DAYS + 1)
    candles = held(tmp_path)
    assert candles["source"].unique().to_list() == [name]
    checked = validate(candles, DAY, SystemClock().now() + timedelta(minutes=1))
    assert (checked.quarantined, checked.gaps.height) == (0, 0)
    last = candles.group_by("symbol").agg(pl.col("time").max())["time"]
    assert (last >= SystemClock().now() - timedelta(days=2, hours=1)).all()
    again = fetch(tmp_path, "--exchange", name)
    assert again["inserted"] <= 2


def test_several_exchanges_stand_in_for_one_that_cannot_be_reached(tmp_path: Path) -> None:
    names = ("binance=http://127.0.0.1:9", "kraken", "coinbaseexchange")
    done = command(
        *("candles", "fetch", "--symbols", "BTC", "--since", str(DAYS), "--json"),
        *(option for name in names for option in ("--exchange", name)),
        env={"CRIPTO_STORE": (tmp_path / "store").as_uri()},
        cwd=tmp_path,
    )
    assert json.loads(done.stdout)["inserted"] >= DAYS, done.stderr
    assert set(held(tmp_path)["source"]) <= {"kraken", "coinbaseexchange"}


def test_several_intervals_and_the_most_traded(tmp_path: Path) -> None:
    env = {"CRIPTO_STORE": (tmp_path / "store").as_uri(), "CRIPTO_EXCHANGES": "kraken,coinbaseexchange"}
    done = command(
        *("candles", "fetch", "--top", "3", "--interval", "1h", "--interval", "1d", "--since", "10", "--json"),
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lake = open_lake((tmp_path / "store").as_uri())
    for interval in ("1h", "1d"):
        assert lake.read(interval).group_by("symbol").len()["len"].min() == pytest.approx(10, abs=1)
        assert lake.read(interval)["symbol"].n_unique() == 3


@pytest.mark.parametrize("seconds", [4.0, 6.0, 8.0])
def test_a_fetch_that_is_killed_and_repeated_is_whole(seconds: float, tmp_path: Path) -> None:
    env = {"CRIPTO_STORE": (tmp_path / "store").as_uri()}
    kill_after(
        seconds, *("candles", "fetch", "--symbols", "BTC,ETH", "--exchange", "kraken"), env=env, cwd=tmp_path
    )
    fetch(tmp_path, "--exchange", "kraken")
    checked = validate(held(tmp_path), DAY, SystemClock().now() + timedelta(minutes=1))
    assert checked.quarantined == 0


def test_up_serves_what_the_exchanges_tell(tmp_path: Path) -> None:
    env = {"CRIPTO_EXCHANGES": "binance,bybit,kraken,coinbaseexchange", "CRIPTO_UNIVERSE": "BTC,ETH,LTC"}
    with serving("up", env=env, cwd=tmp_path, seconds=240) as client:
        answer = client.get("/symbol/BTC").json()
        assert answer["dados"]["fonte"] in EXCHANGES
        assert answer["dados"]["situacao"] == "atual"
