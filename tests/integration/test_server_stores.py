"""The whole serving path on a real release and a real lake, in a folder and on S3."""

import json
import math
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from cripto.domain.clock import FixedClock
from cripto.features import default_spec, latest_features
from cripto.forecasting import PredictionService
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.serving import create_app
from cripto.storage import open_store
from tests.conftest import BUCKETS
from tests.doubles.releases import publish_toy_release, toy_outputs
from tests.integration.live import live, until
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, VERSION, candles
from tests.unit.serving.client import problem

SPEC = default_spec()


@pytest.fixture(params=["folder", *BUCKETS])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return tmp_path.as_uri()
    return f"s3://{request.getfixturevalue(request.param)}/criptos"


@pytest.fixture
def api(store_url: str) -> Iterator[httpx.Client]:
    clock = FixedClock(LAST_CLOSE + timedelta(hours=1))
    service = PredictionService(
        ReleaseRegistry(open_store(store_url)), open_lake(store_url), clock=clock, interval="1d", quotes=("USDT",)
    )
    app = create_app(service, version="1.2.3", clock=clock, refresh_seconds=0.1, reload_min_seconds=0)
    with live(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_an_empty_store_is_waited_for_and_a_filled_one_is_served(api: httpx.Client, store_url: str) -> None:
    assert api.get("/health").status_code == 503
    problem(api.get("/symbol/BTC"), 503, "sem-release")
    publish_toy_release(open_store(store_url), spec=SPEC)
    until(lambda: api.get("/health").status_code == 200)
    problem(api.get("/symbol/BTC"), 404, "ativo-desconhecido")
    frame = candles("BTC", "ETH")
    open_lake(store_url).upsert(frame)
    until(lambda: api.get("/symbol/BTC").status_code == 200)

    # what is served is what scikit-learn says of the very features that training would build
    table = latest_features(frame, SPEC, DAILY)
    outputs = toy_outputs(len(SPEC.names), np.ascontiguousarray(table.select(SPEC.names).to_numpy()))
    for row, symbol in enumerate(table["symbol"]):
        value = json.loads(api.get(f"/symbol/{symbol}").content)
        assert (value["release"], value["dados"]["situacao"]) == (VERSION, "atual")
        for name, model in value["modelos"].items():
            expected = float(outputs[name][row])
            if model["tipo"] == "regressor":
                assert model["predicao"] == pytest.approx(value["candle"]["preco"] * math.exp(expected), rel=1e-6)
                assert model["variacao"] == pytest.approx(math.expm1(expected), abs=1e-6)
            else:
                assert model["probabilidade"] == pytest.approx(expected, abs=1e-6)
                assert model["predicao"] == int(model["probabilidade"] > 0.5)


def test_a_promotion_moves_what_is_served(api: httpx.Client, store_url: str) -> None:
    store = open_store(store_url)
    open_lake(store_url).upsert(candles("BTC"))
    publish_toy_release(store, spec=SPEC)
    until(lambda: api.get("/symbol/BTC").status_code == 200)
    later = publish_toy_release(store, spec=SPEC, version="20250801-0000", seed=1)
    assert api.get("/reload").json()["release"] == VERSION
    ReleaseRegistry(store).promote(later.release, "1d", FixedClock(LAST_CLOSE))
    assert api.get("/reload").json()["release"] == "20250801-0000"
    assert api.get("/symbol/BTC").json()["release"] == "20250801-0000"
