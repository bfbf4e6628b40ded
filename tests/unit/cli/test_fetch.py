import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from cripto.market.lake import open_lake
from tests.doubles.candles import START, random_walk
from tests.doubles.exchange_server import Book, ExchangeServer, Fault, denied, exchange_server, failing, slow_down
from tests.unit.cli.conftest import Command

COUNT = 400
ALWAYS = 1_000_000


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    book = Book(random_walk(["BTC", "ETH", "SOL"], COUNT), START + timedelta(days=COUNT - 1, hours=12))
    with exchange_server("binance", book) as opened:
        yield opened


@pytest.fixture
def configured(server: ExchangeServer, store: str, monkeypatch: pytest.MonkeyPatch) -> ExchangeServer:
    """The one exchange that the settings name."""
    monkeypatch.setenv("CRIPTO_EXCHANGES", f"binance={server.url}")
    return server


def test_what_the_settings_name_is_fetched_and_the_second_time_nothing_is_new(
    cripto: Command, configured: ExchangeServer, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_UNIVERSE", "BTC,SOL")
    first = cripto("candles", "fetch", "--since", "50")
    assert first.code == 0, first.err
    assert "2 series in" in first.out
    assert "100 candles new" in first.out
    assert "100 candles" in first.err
    assert sorted(open_lake(store).read("1d")["symbol"].unique()) == ["BTC", "SOL"]
    version = open_lake(store).version()
    again = json.loads(cripto("candles", "fetch", "--since", "50", "--json").out)
    assert (again["inserted"], again["updated"], again["unchanged"]) == (0, 0, 8)
    assert open_lake(store).version() == version


@pytest.mark.parametrize(
    ("options", "symbols"),
    [(["--symbols", "eth"], ["ETH"]), (["--all"], ["BTC", "ETH", "SOL"]), (["--top", "1"], ["BTC"])],
)
def test_options_go_before_the_settings(
    cripto: Command,
    server: ExchangeServer,
    store: str,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    symbols: list[str],
) -> None:
    monkeypatch.setenv("CRIPTO_EXCHANGES", "none")
    monkeypatch.setenv("CRIPTO_UNIVERSE", "SOL")
    result = cripto("candles", "fetch", "--exchange", f"binance={server.url}", "--since", "2025-01-01", *options)
    assert result.code == 0, result.err
    held = open_lake(store).read("1d")
    assert sorted(held["symbol"].unique()) == symbols
    assert held["time"].min() == datetime(2025, 1, 1, tzinfo=UTC)


def test_an_exchange_named_without_an_address_keeps_the_mirror_of_the_settings(
    cripto: Command, configured: ExchangeServer, store: str
) -> None:
    result = cripto("candles", "fetch", "--exchange", "binance", "--exchange", "binance", "--symbols", "BTC")
    assert result.code == 0, result.err
    assert configured.requests("klines") == 1


def test_an_asset_nobody_lists_is_named_and_the_others_arrive(
    cripto: Command, configured: ExchangeServer, store: str
) -> None:
    result = cripto("candles", "fetch", "--symbols", "BTC,NADA", "--since", "5")
    assert result.code == 1
    assert "no exchange lists NADA" in result.out
    assert open_lake(store).read("1d").height == 5


def test_quarantined_candles_are_counted_by_rule(cripto: Command, configured: ExchangeServer, store: str) -> None:
    bad = pl.col("time") == START + timedelta(days=COUNT - 4)
    book = configured.book
    book.candles = book.candles.with_columns(volume=pl.when(bad).then(-1.0).otherwise("volume"))
    result = cripto("candles", "fetch", "--symbols", "BTC", "--since", "10")
    assert result.code == 1
    assert "quarantined: negative_volume 1" in result.out
    assert open_lake(store).read("1d").height == 9


def test_what_may_work_later_is_told_as_such(cripto: Command, configured: ExchangeServer, store: str) -> None:
    configured.faults.append(Fault(slow_down(429, "7200"), "candles", ALWAYS))
    result = cripto("candles", "fetch", "--since", "5")
    assert result.code == 75
    assert "failed: BTC/USDT 1d: binance gave no usable answer: status 429" in result.out
    configured.faults[:] = [Fault(slow_down(429, "7200"), "time", ALWAYS)]
    result = cripto("candles", "fetch", "--since", "5")
    assert result.code == 75
    assert "it asks to wait 7200 s" in result.err


def test_a_refusal_by_place_needs_somebody(cripto: Command, configured: ExchangeServer, store: str) -> None:
    configured.faults.append(Fault(denied(451), None, ALWAYS))
    result = cripto("candles", "fetch")
    assert result.code == 3
    assert "binance refuses us" in result.err
    configured.faults[:] = [Fault(denied(451), "candles", ALWAYS)]
    assert cripto("candles", "fetch").code == 3


def test_an_exchange_that_refuses_us_is_told_and_no_fault_where_another_has_all(
    cripto: Command, server: ExchangeServer, store: str
) -> None:
    with exchange_server("kraken", server.book) as other:
        server.faults.append(Fault(denied(451), None, ALWAYS))
        result = cripto(
            "candles", "fetch", "--exchange", f"binance={server.url}", "--exchange", f"kraken={other.url}"
        )
    assert result.code == 0, result.out
    assert "left out: binance refuses us" in result.err
    assert open_lake(store).read("1d")["source"].unique().to_list() == ["kraken"]


def test_told_to_stop_it_writes_what_has_arrived(cripto: Command, configured: ExchangeServer, store: str) -> None:
    configured.book.candles = random_walk([f"A{number:02}" for number in range(100)], COUNT)

    def interrupt() -> None:
        deadline = time.monotonic() + 120
        # eight are under way at a time, and each asks on only when its page was handed over
        while configured.requests("klines") < 20 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = cripto("candles", "fetch")
    thread.join()
    assert result.code == 75
    told = re.search(r"(\d+) candles new", result.out)
    assert told
    assert 0 < int(told[1]) == open_lake(store).read("1d").height < 100 * (COUNT - 1)
    assert re.search(r"stopped: what had arrived is written; \d+ series were not fetched to the end", result.out)
    # nobody failed
    assert "failed" not in result.out
    # the handler is gone: the next signal is Python's again
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_told_to_stop_while_it_follows_it_ends_with_nothing_wrong(
    cripto: Command, configured: ExchangeServer, store: str
) -> None:
    def interrupt() -> None:
        deadline = time.monotonic() + 120
        while not open_lake(store).series() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    result = cripto("candles", "fetch", "--follow", "--json", "--since", "5")
    thread.join()
    assert result.code == 0
    first = json.loads(result.out.splitlines()[0])
    assert (first["inserted"], first["failed"]) == (15, 0)
    assert "series" not in first
    assert '"event": "candles fetched"' in result.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--symbols", "BTC", "--all"], "one of --symbols"),
        (["--symbols", "all"], "separated by commas"),
        (["--symbols", "B/T"], "a universe is"),
        (["--since", "yesterday"], "--since is a date"),
        (["--since", "0"], "--since is a date"),
        (["--since", "2999-12-31"], "--since is still to come"),
        (["--interval", "3d"], "unknown interval"),
        (["--exchange", "Bi nance"], "an exchange is"),
        (["--exchange", "nowhere"], "no exchange that ccxt knows"),
        (["--exchange", "binanc"], "is it binance"),
        (["--exchange", "binance=ftp://x"], "an exchange is"),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_asked(
    cripto: Command, configured: ExchangeServer, options: list[str], reason: str
) -> None:
    result = cripto("candles", "fetch", *options)
    assert result.code == 2
    assert reason in result.err
    assert configured.seen == []


def test_without_an_exchange_there_is_nothing_to_fetch_from(
    cripto: Command, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_EXCHANGES", "none")
    result = cripto("candles", "fetch")
    assert result.code == 3
    assert "no exchange is configured" in result.err


def test_where_every_exchange_fails_each_reason_is_told_once(
    cripto: Command, server: ExchangeServer, store: str
) -> None:
    with exchange_server("kraken", server.book) as other:
        server.faults.append(Fault(denied(451), None, ALWAYS))
        other.faults.append(Fault(slow_down(429, "7200"), None, ALWAYS))
        result = cripto(
            "candles", "fetch", "--exchange", f"binance={server.url}", "--exchange", f"kraken={other.url}"
        )
    # one of them may answer later
    assert result.code == 75
    assert "cripto: no exchange gave its list of pairs: binance refuses us" in result.err
    assert result.err.count("kraken gave no usable answer") == result.err.count("binance refuses us") == 1


def test_a_wait_for_lists_is_told_with_whom_it_is_for(
    cripto: Command, configured: ExchangeServer, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cripto.cli.fetch._QUIET_SECONDS", 0.05)
    configured.hang = 0.1
    result = cripto("candles", "fetch", "--symbols", "BTC", "--since", "3")
    assert result.code == 0
    assert "no list of pairs yet from binance: still asking" in result.err


def test_a_series_without_any_candle_is_told(cripto: Command, configured: ExchangeServer, store: str) -> None:
    result = cripto("candles", "fetch", "--symbols", "BTC", "--interval", "1h", "--interval", "1d", "--since", "3")
    assert result.code == 0
    assert "no candles since then: BTC/USDT 1h\n" in result.out


def test_an_outage_that_passes_is_not_seen(cripto: Command, configured: ExchangeServer, store: str) -> None:
    configured.faults.append(Fault(failing(502), None, 1))
    assert cripto("candles", "fetch", "--symbols", "BTC", "--since", "3").code == 0
    assert open_lake(store).spans("1d")[0].candles == 3
