import json
import re
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cripto.cli.cpus import THREAD_VARIABLES, cpu_limit
from cripto.domain.clock import SystemClock
from cripto.market.listings import ListingBook
from cripto.market.source import Pair
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.exchange_server import Fault, denied, exchange_server
from tests.doubles.exchange_server.ticking import Ticking
from tests.unit.cli.conftest import Command


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))


def outcomes(cripto: Command) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in json.loads(cripto("doctor", "--json").out)["checks"]}


def test_a_sound_installation_has_nothing_failed(cripto: Command, filled: str) -> None:
    result = cripto("doctor", "--json")
    assert result.code == 0
    found = outcomes(cripto)
    assert {name for name, outcome in found.items() if outcome == "ok"} >= {
        "permissions",
        "files in the store",
        "integrity",
        "models",
        "predictions",
    }
    assert found["health"] == "skipped"


def test_a_retired_asset_is_no_trouble(cripto: Command, filled: str) -> None:
    def checks() -> dict[str, str]:
        return {check["name"]: check["detail"] for check in json.loads(cripto("doctor", "--json").out)["checks"]}

    before = checks()["predictions"]
    retired = [Pair("BTC", "USDT", active=False)]
    ListingBook(open_store(filled)).update(lambda known: known.seen("binance", retired, datetime.now(UTC)))
    assert outcomes(cripto)["predictions"] == "ok"
    assert before.startswith("2 of 2 assets")
    assert checks()["predictions"].startswith("1 of 1 assets")


def test_the_cpu_limit_and_the_thread_counts_are_told(
    cripto: Command, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLARS_MAX_THREADS", "3")
    told = cripto("doctor").out
    assert f"{cpu_limit()} CPUs may be used (POLARS_MAX_THREADS=3)" in told


def test_an_empty_store_is_told_what_to_do(cripto: Command, store: str) -> None:
    result = cripto("doctor")
    assert result.code == 1
    assert "cripto train" in result.out
    assert "bring some with `cripto candles fetch` or `import`" in result.out


def test_a_changed_file_fails_integrity_and_models(cripto: Command, filled: str) -> None:
    path = Path(urlsplit(filled).path) / "models" / "releases" / "20250729-2130" / "regressor_rf.onnx"
    path.write_bytes(b"rubbish")
    found = outcomes(cripto)
    assert found["integrity"] == "failed"
    assert found["models"] == "failed"
    assert found["permissions"] == "ok"


def test_an_unreachable_s3_is_found(cripto: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CRIPTO_STORE": "s3://criptos-data",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    found = outcomes(cripto)
    assert found["network"] == "failed"
    assert found["permissions"] == "failed"


def exchanges(cripto: Command) -> dict[str, tuple[str, str, str]]:
    result = cripto("doctor", "--json")
    assert result.code == 0
    checks = json.loads(result.out)["checks"]
    found = [check for check in checks if check["name"].startswith("exchange")]
    return {check["name"]: (check["outcome"], check["detail"], check["remedy"]) for check in found}


def test_each_exchange_is_asked_and_one_that_fails_is_no_failure(
    cripto: Command, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = SystemClock().now()
    books = [Ticking(random_walk(["BTC"], 3, quote=quote), now) for quote in ("USDT", "USD", "USD")]
    books[0].wind(now)
    books[1].wind(now + timedelta(minutes=10))
    with (
        exchange_server("binance", books[0]) as good,
        exchange_server("kraken", books[1]) as skewed,
        exchange_server("coinbaseexchange", books[2]) as denying,
    ):
        denying.faults = [Fault(denied(451), None, times=1000)]
        names = {"binance": good.url, "kraken": skewed.url, "coinbaseexchange": denying.url}
        entries = [*(f"{name}={url}" for name, url in names.items()), "bybit=http://127.0.0.1:9", "nowhere"]
        monkeypatch.setenv("CRIPTO_EXCHANGES", ",".join(entries))
        found = exchanges(cripto)
    assert {name: outcome for name, (outcome, _, _) in found.items()} == {
        "exchange binance": "ok",
        "exchange kraken": "warning",
        "exchange coinbaseexchange": "warning",
        "exchange bybit": "warning",
        "exchange nowhere": "warning",
    }
    assert "lists 1 spot pairs" in found["exchange binance"][1]
    assert re.search(r"our clock is (59\d|60\d)\.\d s behind", found["exchange kraken"][1])
    assert "clock" in found["exchange kraken"][2]
    assert "CRIPTO_EXCHANGES" in found["exchange coinbaseexchange"][2]


def test_no_exchange_is_asked_where_none_is_named(cripto: Command, filled: str) -> None:
    assert exchanges(cripto) == {"exchanges": ("skipped", "CRIPTO_EXCHANGES is none", "")}
