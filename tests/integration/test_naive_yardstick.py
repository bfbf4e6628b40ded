"""The naive yardstick of the benchmarks answers as ours does: else it would measure something else."""

from pathlib import Path

import httpx
import pytest

from benchmarks.serving.agreement import differences
from benchmarks.serving.naive import create
from cripto.domain.clock import SystemClock
from cripto.forecasting import PredictionService
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.serving import create_app
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.forests import large_release_draft
from tests.integration.live import live


@pytest.mark.slow
def test_the_naive_server_answers_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, symbols = tmp_path.as_uri(), ["BTC", "ETH", "ADA"]
    open_lake(url).upsert(random_walk(symbols, 120))
    registry = ReleaseRegistry(open_store(url))
    registry.publish(large_release_draft())
    service = PredictionService(registry, open_lake(url), clock=SystemClock(), interval="1d", quotes=("USDT",))
    service.load()
    monkeypatch.setenv("NAIVE_STORE", str(tmp_path))
    ours = create_app(service, version="1.2.3", clock=SystemClock(), refresh_seconds=3600)
    with live(ours) as one, live(create()) as other:
        for symbol in symbols:
            mine, theirs = (httpx.get(f"{base}/symbol/{symbol}") for base in (one, other))
            assert (mine.status_code, theirs.status_code) == (200, 200)
            assert differences(mine.json(), theirs.json()) == []
        assert httpx.get(f"{other}/symbol/NONE").status_code == 404
