"""A candle that lands in the lake changes the answers of a running server, and no request fails.

Within how many seconds is measured by `python -m benchmarks.serving --only arrival`.
"""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import polars as pl
import pytest

from cripto.domain.clock import SystemClock
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.load import constant_load
from tests.doubles.processes import serving
from tests.integration.live import until
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, candles, draft


@pytest.fixture(params=["folder", pytest.param("s3_bucket", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """The URL of a store, and the environment that another process needs to reach it."""
    if request.param == "folder":
        return (tmp_path / "store").as_uri(), {}
    url = f"s3://{request.getfixturevalue(request.param)}/criptos"
    server = request.getfixturevalue("s3_server")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    return url, {"AWS_ENDPOINT_URL": server, **keys}


def test_new_candles_and_a_compaction_under_load(store: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    url, env = store
    lake, registry = open_lake(url), ReleaseRegistry(open_store(url))
    registry.promote(registry.publish(draft()).release, "1d", SystemClock())
    frame = candles("BTC", "ETH", count=84).with_columns(pl.col("time").dt.offset_by("4d"))
    days = [LAST_CLOSE + number * DAILY.step for number in range(5)]
    lake.upsert(frame.filter(pl.col("time") < days[0]))
    env |= {"CRIPTO_STORE": url, "CRIPTO_REFRESH_SECONDS": "3", "CRIPTO_CACHE_DIR": str(tmp_path / "cache")}
    with serving("serve", env=env, cwd=tmp_path) as client:

        def told(symbol: str) -> str:
            return str(client.get(f"/symbol/{symbol}").json().get("timestamp"))

        def seen(moment: str) -> Callable[[], bool]:
            return lambda: {told("BTC"), told("ETH")} == {moment}

        until(seen(f"{days[0]:%Y-%m-%dT%H:%M:%SZ}"))
        with constant_load(str(client.base_url), "/symbol/BTC", threads=2) as load:
            for day in days[1:]:
                lake.upsert(frame.filter(pl.col("time") < day))
                until(seen(f"{day:%Y-%m-%dT%H:%M:%SZ}"))
            done = lake.optimize()
            assert done.files < done.files_before
            looks = counted(client, "refreshes")
            until(lambda: counted(client, "refreshes") >= looks + 2)
        worked_out = counted(client, "predictions_computed")
    assert set(load.statuses) == {200}
    assert len(load.bodies) == len(days)
    assert worked_out == 2 * len(days), "once per asset and candle, and never for the compaction"


def counted(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^cripto_{name}_total (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])
