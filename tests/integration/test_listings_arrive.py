"""What an exchange says of a pair reaches a running server by the store alone, and no restart is needed."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cripto.domain.clock import SystemClock
from cripto.market.lake import open_lake
from cripto.market.listings import LISTINGS_KEY, ListingBook
from cripto.market.source import Pair
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.load import constant_load
from tests.doubles.processes import command, serving
from tests.integration.live import until
from tests.unit.forecasting.toys import LAST_CLOSE, candles, draft

BTC, SATS, POL = Pair("BTC", "USDT"), Pair("1000SATS", "USDT"), Pair("POL", "USDT")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a release, and candles of BTC, SATS and POL, half of which are MATIC's."""
    url = (tmp_path / "store").as_uri()
    registry = ReleaseRegistry(open_store(url))
    registry.promote(registry.publish(draft()).release, "1d", SystemClock())
    frame = candles("BTC", "POL", "SATS")
    old = (pl.col("symbol") == "POL") & (pl.col("time") < LAST_CLOSE - pl.duration(days=20))
    open_lake(url).upsert(frame.with_columns(symbol=pl.when(old).then(pl.lit("MATIC")).otherwise("symbol")))
    return url


def test_a_delisting_and_a_relisting_under_load(url: str, tmp_path: Path) -> None:
    book = ListingBook(open_store(url))

    def lists(*pairs: Pair) -> None:
        book.update(lambda known: known.seen("binance", pairs, datetime.now(UTC)))

    env = {"CRIPTO_STORE": url, "CRIPTO_REFRESH_SECONDS": "0.2", "CRIPTO_CACHE_DIR": str(tmp_path / "cache")}
    with serving("serve", env=env, cwd=tmp_path) as client:

        def answers(path: str, status: int) -> Callable[[], bool]:
            return lambda: client.get(path).status_code == status

        until(answers("/symbol/BTC", 200))
        # without any listings all is as it was; an old name answers for the new one
        assert client.get("/symbol/1000SATS").status_code == 404
        assert client.get("/symbol/MATIC").content == client.get("/symbol/POL").content
        before = client.get("/symbol/POL")
        with constant_load(str(client.base_url), "/symbol/BTC", threads=1) as load:
            lists(BTC, SATS, POL)
            until(answers("/symbol/1000SATS", 200))
            marked = client.get("/symbol/SATS")
            assert client.get("/symbol/1000SATS").content == marked.content
            assert (marked.json()["dados"]["par"], marked.json()["dados"]["fator"]) == ("1000SATS/USDT", 1000)
            lists(BTC, SATS)
            until(answers("/symbol/POL", 410))
            gone = client.get("/symbol/MATIC")
            assert gone.status_code == 410
            assert gone.json()["type"] == "urn:cripto:problema:ativo-retirado"
            listed = {entry["ativo"]: entry["situacao"] for entry in client.get("/symbols").json()["ativos"]}
            assert listed["POL"] == "retirado"
            entry = client.get("/predictions?ativos=BTC,POL").json()["predicoes"][1]
            assert (entry["ativo"], entry["erro"]["status"]) == ("POL", 410)
            shown = command("predict", "POL", "SATS", env=env, cwd=tmp_path)
            assert shown.returncode == 2
            assert "POL is not traded in USDT any more" in shown.stderr
            # what cannot be read changes nothing but the state
            held = open_store(url).get(LISTINGS_KEY).data
            open_store(url).put(LISTINGS_KEY, b"{")
            until(lambda: any(item["part"] == "listings" for item in client.get("/health").json()["degraded"]))
            assert client.get("/symbol/POL").status_code == 410
            open_store(url).put(LISTINGS_KEY, held)
            lists(BTC, SATS, POL)
            until(answers("/symbol/POL", 200))
            assert client.get("/symbol/POL").content == before.content
    assert set(load.statuses) == {200}
    assert len(load.bodies) == 1, "what was said of others changed nothing of BTC"
