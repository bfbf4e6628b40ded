"""`cripto up` with exchanges, through its front door: a local exchange, another process, HTTP."""

import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.doubles.candles import START, random_walk
from tests.doubles.exchange_server import Book, ExchangeServer, exchange_server
from tests.doubles.processes import serving
from tests.integration.live import until

COUNT = 260
MIDNIGHT = START + timedelta(days=COUNT)
FAST = {"CRIPTO_REFRESH_SECONDS": "0.3"}


class Ticking(Book):
    """A book whose clock stands still until it is `wound`, and then goes on as time does."""

    _base: datetime
    _wound: float | None = None

    def wind(self, now: datetime) -> None:
        self._base, self._wound = now, time.monotonic()

    @property
    def now(self) -> datetime:
        passed = 0.0 if self._wound is None else time.monotonic() - self._wound
        return self._base + timedelta(seconds=passed)

    @now.setter
    def now(self, value: datetime) -> None:
        self._base = value


@pytest.fixture
def exchange() -> Iterator[ExchangeServer]:
    """A Binance at noon of the last of its candles."""
    candles = random_walk(["BTC", "ETH", "LTC"], COUNT + 1)
    with exchange_server("binance", Ticking(candles, MIDNIGHT - timedelta(hours=12))) as server:
        yield server


def settings(exchange: ExchangeServer, **more: str) -> dict[str, str]:
    return {**FAST, "CRIPTO_EXCHANGES": f"binance={exchange.url}", **more}


def gatherers(parent: int) -> list[int]:
    """The processes of a parent that fetch candles."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            line = (status.parent / "cmdline").read_bytes()
            ours = re.search(rf"^PPid:\t{parent}$", status.read_text(), re.M)
        except OSError:
            continue  # it ended meanwhile
        if ours and b"cripto.cli.gatherer" in line:
            found.append(int(status.parent.name))
    return found


def test_up_fetches_trains_serves_and_follows(exchange: ExchangeServer, tmp_path: Path) -> None:
    with serving("up", env=settings(exchange), cwd=tmp_path) as client:
        first = client.get("/symbol/BTC").json()
        assert (first["dados"]["fonte"], first["cotacao"]) == ("binance", "USDT")
        assert first["candle"]["fechamento"] == (MIDNIGHT - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        log = (tmp_path / "up.log").read_text()
        assert "exchanges that answer: binance" in log
        assert "fetched: 777 candles of 3 assets" in log
        assert "bundled sample" not in log
        # a candle closes: the one that follows measures the exchange's clock again when it is new
        (follower,) = gatherers(client.pid)
        assert isinstance(exchange.book, Ticking)
        exchange.book.wind(MIDNIGHT + timedelta(seconds=1))
        os.kill(follower, signal.SIGKILL)
        closed = MIDNIGHT.strftime("%Y-%m-%dT%H:%M:%SZ")
        until(lambda: client.get("/symbol/BTC").json()["candle"]["fechamento"] == closed, 60)
        assert client.get("/symbol/BTC").json()["release"] == first["release"]
        # it was started again, and said so
        until(lambda: bool(gatherers(client.pid)))
        assert "is started again" in (tmp_path / "up.log").read_text()
        (follower,) = gatherers(client.pid)
    until(lambda: not Path(f"/proc/{follower}").exists())
