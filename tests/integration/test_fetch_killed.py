"""Fetches in processes of their own: killed anywhere, two at once; and the command as it follows."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import polars as pl
import pytest

from cripto.market.lake import open_lake
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.exchange_server import Book, ExchangeServer, exchange_server
from tests.doubles.fetching import fetching
from tests.doubles.processes import UNMEASURED
from tests.integration.collecting import rows_of, same_rows

ASSETS = [f"A{number:02}" for number in range(24)]
COUNT = 900


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    book = Book(random_walk(ASSETS, COUNT, quote="USD"), START + timedelta(days=COUNT - 1, hours=12))
    with exchange_server("coinbaseexchange", book) as opened:
        yield opened


def expected(server: ExchangeServer) -> pl.DataFrame:
    closed = server.book.candles.filter(pl.col("time") + DAILY.step <= server.book.now)
    return closed.with_columns(source=pl.lit(server.dialect)).sort("symbol", "quote", "time")


def wait_for(server: ExchangeServer, pages: int, process: BaseProcess) -> None:
    """Until so many pages more were told, or the process has ended."""
    deadline, wanted = time.monotonic() + 120, server.requests("/candles") + pages
    while server.requests("/candles") < wanted and process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def kill_and_rerun(server: ExchangeServer, folder: Path, points: list[tuple[int, float]]) -> int:
    """Fetch, killed at each point (pages told, seconds after that), then to the end: the lake is as it should be.

    How many of them were killed before they had ended by themselves.
    """
    store, entry = folder.as_uri(), (server.dialect, server.url)
    cut = 0
    for pages, seconds in points:
        with fetching(store, entry) as process:
            wait_for(server, pages, process)
            time.sleep(seconds)
            cut += process.is_alive()
        held = rows_of(open_lake(store))
        assert held.equals(expected(server).join(held.select("symbol", "time"), on=["symbol", "time"], how="semi"))
    with fetching(store, entry) as process:
        process.join(120)
        assert process.exitcode == 0
    same_rows(open_lake(store), expected(server))
    return cut


def test_a_fetch_killed_and_run_again_gives_the_same_lake(server: ExchangeServer, tmp_path: Path) -> None:
    server.hang = 0.002
    assert kill_and_rerun(server, tmp_path / "store", [(4, 0.03), (20, 0.07), (15, 0.0)]) >= 2


@pytest.mark.slow
def test_a_fetch_killed_at_twenty_random_points_and_run_again_gives_the_same_lake(
    server: ExchangeServer, tmp_path: Path
) -> None:
    server.hang = 0.002
    chance = random.Random(20)
    rounds = [[(chance.randrange(30), chance.random() / 10) for _ in range(4)] for _ in range(5)]
    cut = [kill_and_rerun(server, tmp_path / f"store {at}", points) for at, points in enumerate(rounds)]
    assert sum(cut) >= 10


@pytest.mark.slow
def test_two_fetches_at_once_lose_and_double_nothing(server: ExchangeServer, tmp_path: Path) -> None:
    store, entry = (tmp_path / "store").as_uri(), (server.dialect, server.url)
    with fetching(store, entry) as one, fetching(store, entry) as two:
        for process in (one, two):
            process.join(120)
            assert process.exitcode == 0
    same_rows(open_lake(store), expected(server))


@contextmanager
def running(*args: str, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *args],
        env={**os.environ, **UNMEASURED, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.slow
def test_the_command_follows_an_exchange_whose_minutes_close(tmp_path: Path) -> None:
    """The exchange's clock is a day behind ours, and is set forward to the second before a close."""
    from cripto.domain.interval import INTERVALS

    minute = INTERVALS["1m"]
    close = START + timedelta(minutes=100)
    book = Book(random_walk(["BTC", "ETH"], 200, minute, volatility=0.001), close - timedelta(seconds=1))
    store = (tmp_path / "store").as_uri()
    with exchange_server("binance", book) as server:
        args = ["cripto.cli", "candles", "fetch", "--exchange", f"binance={server.url}", "--follow", "--json"]
        began = time.monotonic()

        def tick() -> None:
            book.now = close - timedelta(seconds=1) + timedelta(seconds=time.monotonic() - began)

        with running(*args, "--interval", "1m", "--since", "30", env={"CRIPTO_STORE": store}) as process:
            while server.requests("/time") == 0 and process.poll() is None:
                time.sleep(0.01)
            began = time.monotonic()
            deadline = began + 120
            while rows_of(open_lake(store), minute).filter(pl.col("time") == close - minute.step).height < 2:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                tick()
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["inserted"] for line in lines][:2] == [60, 2]
        held = rows_of(open_lake(store), minute)
        assert held["time"].max() == close - minute.step
        assert held.height == 62
        beats = [json.loads(line) for line in err.splitlines() if '"candles fetched"' in line]
        assert {beat["interval"] for beat in beats} == {"1m"}
        assert beats[-1]["candles"] == 2
