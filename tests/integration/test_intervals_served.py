"""Two intervals at the front door: one server, and what one of them goes through the other never feels."""

from pathlib import Path
from typing import Any

import httpx
import polars as pl

from cripto.domain.clock import SystemClock
from cripto.domain.interval import INTERVALS
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import HOURLY, random_walk
from tests.doubles.processes import serving
from tests.integration.live import until
from tests.unit.forecasting.toys import LAST_CLOSE, VERSION, candles, draft

FIRST, SECOND = "20250729-2200", "20250730-0200"
CHANNELS = "models/channels/production"


def stable(answer: httpx.Response) -> dict[str, Any]:
    """An answer but for how late it is, which the clock of the day changes."""
    value: dict[str, Any] = answer.json()
    assert answer.status_code == 200, value
    del value["dados"]["candles_em_atraso"]
    return value


def test_two_intervals_are_served_and_neither_feels_the_other(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    store, lake = open_store(url), open_lake(url)
    registry = ReleaseRegistry(store)
    for version, interval in ((VERSION, "1d"), (FIRST, "1h")):
        registry.promote(registry.publish(draft(version, interval=interval)).release, "1d", SystemClock())
    assert {info.key for info in store.list("models/channels/")} == {f"{CHANNELS}.json", f"{CHANNELS}-1h.json"}
    hours = random_walk(["BTC", "ETH"], 80, HOURLY, LAST_CLOSE - 80 * HOURLY.step)
    lake.upsert(pl.concat([candles("BTC", "ETH"), hours.filter(pl.col("time") < LAST_CLOSE - HOURLY.step)]))
    env = {
        "CRIPTO_STORE": url,
        "CRIPTO_INTERVALS": "1h",
        "CRIPTO_REFRESH_SECONDS": "0.3",
        "CRIPTO_CACHE_DIR": str(tmp_path / "cache"),
    }
    with serving("serve", env=env, cwd=tmp_path) as client:
        until(lambda: client.get("/symbol/BTC?intervalo=1h").status_code == 200)

        def both() -> tuple[dict[str, Any], dict[str, Any]]:
            return stable(client.get("/symbol/BTC")), stable(client.get("/symbol/BTC?intervalo=1h"))

        daily, hourly = both()
        assert (daily["release"], daily["intervalo"]) == (VERSION, "1d")
        assert (hourly["release"], hourly["intervalo"]) == (FIRST, "1h")
        loaded = client.get("/models").json()["last_loaded"]

        lake.upsert(hours)  # the last hour lands
        until(lambda: both()[1]["timestamp"] != hourly["timestamp"])
        unchanged, hourly = both()
        assert unchanged == daily
        assert hourly["timestamp"] == f"{LAST_CLOSE:%Y-%m-%dT%H:%M:%SZ}"

        registry.promote(registry.publish(draft(SECOND, interval="1h")).release, "1d", SystemClock())
        until(lambda: both()[1]["release"] == SECOND)
        assert both()[0] == daily
        assert client.get("/models").json()["last_loaded"] == loaded

        store.put(f"{CHANNELS}-1h.json", b"{}")
        until(lambda: broken(client) == {"1h"})
        assert both() == (daily, {**hourly, "release": SECOND, "modelos": both()[1]["modelos"]})
        registry.promote(registry.publish(draft("20250731-0000")).release, "1d", SystemClock())
        until(lambda: both()[0]["release"] == "20250731-0000")
    kept = [folder for folder in (tmp_path / "cache").iterdir() if (folder / "served.json").exists()]
    assert len(kept) == 2


def broken(client: httpx.Client) -> set[str]:
    """The intervals whose release cannot be renewed, by what /health says."""
    health = client.get("/health").json()
    return {item["interval"] for item in health["degraded"] if item["part"] == "release"}


def test_an_interval_that_gets_its_release_later_is_served_then(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    store, lake = open_store(url), open_lake(url)
    registry = ReleaseRegistry(store)
    registry.publish(draft())
    four = INTERVALS["4h"]
    lake.upsert(pl.concat([candles("BTC"), random_walk(["BTC"], 80, four, LAST_CLOSE - 80 * four.step)]))
    store.put(f"{CHANNELS}-4h.json", b"{}")
    env = {"CRIPTO_STORE": url, "CRIPTO_INTERVALS": "1d,1h,4h", "CRIPTO_REFRESH_SECONDS": "0.3"}
    with serving("up", env=env, cwd=tmp_path) as client:
        assert client.get("/symbol/BTC").status_code == 200
        assert client.get("/symbol/BTC?intervalo=1h").status_code == 503
        assert [one["interval"] for one in client.get("/health").json()["intervals"]] == ["1d", "1h", "4h"]
        lake.upsert(random_walk(["BTC"], 80, HOURLY, LAST_CLOSE - 80 * HOURLY.step))
        registry.promote(registry.publish(draft(FIRST, interval="1h")).release, "1d", SystemClock())
        until(lambda: client.get("/symbol/BTC?intervalo=1h").status_code == 200)
        until(lambda: broken(client) == {"4h"})
    said = (tmp_path / "up.log").read_text()
    assert "interval 1h: no candles yet" in said
    assert f"{CHANNELS}-4h.json" in said.partition("interval 4h:")[2]
