"""`cripto up` with exchanges, through its front door: a local exchange, another process, HTTP."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from cripto.domain.interval import INTERVALS
from cripto.features import default_spec
from cripto.market.lake import open_lake
from cripto.market.sample import sample_candles
from cripto.storage import open_store
from tests.doubles.candles import START, random_walk
from tests.doubles.exchange_server import ExchangeServer, Fault, denied, exchange_server
from tests.doubles.exchange_server.dialects import Reply
from tests.doubles.exchange_server.ticking import Ticking
from tests.doubles.processes import command, free_port, serving
from tests.doubles.releases import publish_toy_release
from tests.integration.live import until

COUNT = 260
MIDNIGHT = START + timedelta(days=COUNT)


@pytest.fixture
def book() -> Ticking:
    """At noon of the last of its candles."""
    return Ticking(random_walk(["BTC", "ETH", "LTC"], COUNT + 1), MIDNIGHT - timedelta(hours=12))


@pytest.fixture
def exchange(book: Ticking) -> Iterator[ExchangeServer]:
    with exchange_server("binance", book) as server:
        yield server


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A folder whose store has a release and no candles, so that nothing is trained."""
    publish_toy_release(open_store((tmp_path / "var" / "store").as_uri()), spec=default_spec())
    return tmp_path


def naming(*exchanges: str, **more: str) -> dict[str, str]:
    return {"CRIPTO_REFRESH_SECONDS": "0.3", "CRIPTO_EXCHANGES": ",".join(exchanges), **more}


@contextmanager
def started(env: Mapping[str, str], cwd: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`cripto up` and a client of it, once it serves; killed afterwards, if it still runs."""
    port = free_port()
    with (cwd / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cripto.cli", "up"],
            env={**os.environ, **env, "PORT": str(port)},
            cwd=cwd,
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

            def ready() -> bool:
                assert process.poll() is None, told(cwd)
                try:
                    return client.get("/health").status_code == 200
                except httpx.TransportError:
                    return False

            until(ready, 480)
            yield process, client
    finally:
        process.kill()
        process.wait()


def told(cwd: Path) -> str:
    return (cwd / "up.log").read_text()


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


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def test_up_fetches_and_follows_beside_the_server_and_leaves_no_child(
    exchange: ExchangeServer, book: Ticking, released: Path
) -> None:
    open_lake((released / "var" / "store").as_uri()).upsert(sample_candles())
    with started(naming(f"binance={exchange.url}"), released) as (process, client):
        first = client.get("/symbol/BTC").json()
        # the sample was there, and stood back
        assert (first["dados"]["fonte"], first["cotacao"]) == ("binance", "USDT")
        assert first["dados"]["situacao"] != "amostra"
        assert first["candle"]["fechamento"] == (MIDNIGHT - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert "exchanges that answer: binance" in told(released)
        assert "fetched: 777 candles of 3 series" in told(released)
        # a candle closes, and the one that follows has died: the next asks the exchange's time anew
        (follower,) = gatherers(process.pid)
        book.wind(MIDNIGHT + timedelta(seconds=1))
        os.kill(follower, signal.SIGKILL)
        closed = MIDNIGHT.strftime("%Y-%m-%dT%H:%M:%SZ")
        until(lambda: client.get("/symbol/BTC").json()["candle"]["fechamento"] == closed)
        assert "is started again" in told(released)
        (second,) = gatherers(process.pid)
        assert second != follower
        process.kill()
        process.wait()
        until(lambda: gone(second))


@pytest.mark.slow
def test_exchanges_that_hang_or_refuse_cost_seconds_and_one_line(released: Path) -> None:
    with socket.socket() as hole:  # it accepts, and never answers
        hole.bind(("127.0.0.1", 0))
        hole.listen(50)
        names = (f"binance=http://127.0.0.1:{hole.getsockname()[1]}", f"kraken=http://127.0.0.1:{free_port()}")
        with started(naming(*names), released) as (process, client):
            answer = client.get("/symbol/BTC").json()
            assert answer["dados"]["situacao"] == "amostra"
            (line,) = [line for line in told(released).splitlines() if "no exchange can be reached" in line]
            assert "binance: no answer within 5 s; kraken: " in line
            assert "using the bundled sample (BTC, ETH, LTC; answers say `amostra`)" in line
            assert gatherers(process.pid) == []


@pytest.mark.slow
def test_an_exchange_that_fails_midway_leaves_what_arrived(exchange: ExchangeServer, released: Path) -> None:
    exchange.faults = [_After(2, Fault(denied(403), "candles", times=10_000))]
    with started(naming(f"binance={exchange.url}"), released) as (process, client):
        assert "series are not whole" in told(released)
        answers = [client.get(f"/symbol/{asset}") for asset in ("BTC", "ETH", "LTC")]
        served = [answer.json()["dados"]["fonte"] for answer in answers if answer.status_code == 200]
        assert served == ["binance", "binance"]
        assert gatherers(process.pid)


@pytest.mark.slow
def test_a_store_with_candles_is_served_at_once_while_no_exchange_answers(released: Path) -> None:
    lake = open_lake((released / "var" / "store").as_uri())
    lake.upsert(random_walk(["BTC"], COUNT, source="binance"))
    with started(naming(f"binance=http://127.0.0.1:{free_port()}"), released) as (process, client):
        assert client.get("/symbol/BTC").json()["dados"]["fonte"] == "binance"
        until(lambda: "serving the candles at hand, and trying again" in told(released))
        assert gatherers(process.pid)
        process.terminate()
        assert process.wait(120) == 0
    assert lake.read("1d")["symbol"].unique().to_list() == ["BTC"]


@pytest.mark.slow
def test_up_does_everything_from_nothing_with_an_exchange_that_goes_on(tmp_path: Path) -> None:
    candles = random_walk(["BTC", "ETH", "LTC"], 400, interval=INTERVALS["1m"])
    book = Ticking(candles, START)
    book.wind(START + timedelta(minutes=300))
    with exchange_server("binance", book) as server:
        env = naming(f"binance={server.url}", CRIPTO_INTERVAL="1m", CRIPTO_UNIVERSE="BTC,LTC")
        with serving("up", env=env, cwd=tmp_path) as client:
            first = client.get("/symbol/BTC").json()
            assert first["dados"]["fonte"] == "binance"
            assert client.get("/symbol/ETH").status_code == 404
            (follower,) = gatherers(client.pid)
            # two closes by the exchange's clock, with nobody started again
            for _ in range(2):
                before = client.get("/symbol/BTC").json()["candle"]["fechamento"]
                until(partial(_moved_on, client, before))
            assert gatherers(client.pid) == [follower]
            assert client.get("/symbol/BTC").json()["release"] == first["release"]
        assert gone(follower)


@pytest.mark.slow
def test_a_minute_without_candles_and_without_exchanges_is_refused_with_what_to_do(tmp_path: Path) -> None:
    done = command("up", env=naming(f"binance=http://127.0.0.1:{free_port()}", CRIPTO_INTERVAL="1m"), cwd=tmp_path)
    assert done.returncode == 3
    assert "no exchange can be reached" in done.stderr
    assert "cripto candles import" in done.stderr


def _moved_on(client: httpx.Client, before: str) -> bool:
    return str(client.get("/symbol/BTC").json()["candle"]["fechamento"]) > before


class _After(Fault):
    """A fault that begins after so many answers."""

    def __init__(self, spared: int, fault: Fault) -> None:
        super().__init__(fault.change, fault.about, fault.times)
        self._spared = spared
        self._lock = threading.Lock()

    def befall(self, reply: Reply) -> Reply:
        with self._lock:
            if reply.about == self.about and self._spared > 0:
                self._spared -= 1
                return reply
        return super().befall(reply)
