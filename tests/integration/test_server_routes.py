"""The API on a real server: what every route answers, and what it answers when things go wrong."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.errors import StorageUnavailable
from cripto.forecasting import Board, PredictionService, Snapshot
from cripto.serving import create_app
from tests.integration.live import live, until
from tests.unit.forecasting.toys import DAILY, VERSION, House, SlowModel, candles, draft, toy_release
from tests.unit.serving.client import problem

LATER = "20250801-0000"


class Live:
    """A house with its server and a client of it."""

    def __init__(self, house: House, client: httpx.Client) -> None:
        self.house = house
        self.client = client

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def symbol(self, asset: str = "BTC") -> dict[str, object]:
        response = self.get(f"/symbol/{asset}")
        assert response.status_code == 200
        value: dict[str, object] = response.json()
        return value


@contextmanager
def serve(house: House) -> Iterator[Live]:
    app = create_app(house.service, version="1.2.3", clock=house.clock, refresh_seconds=0.05, reload_min_seconds=0)
    with live(app) as url, httpx.Client(base_url=url, timeout=120) as client:
        server = Live(house, client)
        until(lambda: house.service.ready or not list(house.registry.versions()))
        yield server


@pytest.fixture
def loaded() -> Iterator[Live]:
    with serve(House("BTC", "ETH")) as server:
        yield server


@pytest.fixture
def empty() -> Iterator[Live]:
    with serve(House("BTC", publish=False)) as server:
        yield server


def test_all_routes_answer(loaded: Live) -> None:
    for path in (
        "/",
        "/health",
        "/models",
        "/symbol/BTC",
        "/symbols",
        "/reload",
        "/metrics",
        "/docs",
        "/openapi.json",
    ):
        assert loaded.get(path).status_code == 200, path


def test_head_answers_like_get_and_leaves_the_connection_usable(loaded: Live) -> None:
    for path in ("/", "/health", "/models", "/symbol/BTC", "/metrics"):
        head, got = loaded.client.head(path), loaded.get(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
    assert loaded.client.head("/symbol/NOPE").status_code == 404


def test_a_conditional_request_is_304_without_a_body(loaded: Live) -> None:
    etag = loaded.get("/symbol/BTC").headers["etag"]
    response = loaded.client.get("/symbol/BTC", headers={"If-None-Match": etag})
    assert (response.status_code, response.content) == (304, b"")
    assert loaded.get("/symbol/BTC").status_code == 200


def test_it_starts_without_a_release_and_serves_one_once_it_is_published(empty: Live) -> None:
    assert empty.get("/health").status_code == 503
    assert empty.client.get("/health", headers={"X-Probe": "liveness"}).status_code == 200
    problem(empty.get("/symbol/BTC"), 503, "sem-release")
    empty.house.registry.publish(draft())
    until(lambda: empty.get("/health").status_code == 200)
    assert empty.symbol()["release"] == VERSION


def test_a_release_published_later_is_served_without_a_restart(loaded: Live) -> None:
    assert loaded.symbol()["release"] == VERSION
    loaded.house.registry.publish(draft(LATER))
    until(lambda: loaded.symbol()["release"] == LATER)


def test_an_outage_of_store_and_lake_keeps_answering_and_says_it_is_late(loaded: Live) -> None:
    loaded.house.lake.fault = loaded.house.registry.fault = StorageUnavailable("down")
    until(lambda: loaded.get("/health").json()["status"] == "degraded")
    loaded.house.clock.time += 3 * DAILY.step
    dados = loaded.symbol()["dados"]
    assert isinstance(dados, dict)
    assert (dados["situacao"], dados["candles_em_atraso"]) == ("atrasado", 3)
    problem(loaded.get("/reload"), 503, "recarga-falhou")
    assert loaded.symbol("ETH")["release"] == VERSION
    loaded.house.lake.fault = loaded.house.registry.fault = None
    until(lambda: loaded.house.service.status().problems == ())


def test_sample_candles_are_called_a_sample() -> None:
    house = House()
    house.lake.upsert(candles("BTC", source=SAMPLE_SOURCE))
    house.clock.time += 400 * DAILY.step
    with serve(house) as server:
        dados = server.symbol()["dados"]
        assert isinstance(dados, dict)
        assert (dados["fonte"], dados["situacao"], dados["candles_em_atraso"]) == ("amostra", "amostra", 400)


def test_many_connections_at_once_cause_no_computation_more(loaded: Live) -> None:
    worked_out = loaded.house.service.status().computations
    with ThreadPoolExecutor(25) as pool:
        responses = list(pool.map(loaded.get, ["/symbol/BTC"] * 50))
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert loaded.house.service.status().computations == worked_out


class Fixed(PredictionService):
    """A service of one toy release that never looks at the store."""

    def refresh(self) -> Snapshot:
        return self.snapshot


def fixed(house: House, model: SlowModel) -> PredictionService:
    service = Fixed(house.registry, house.lake, clock=house.clock, interval="1d")
    service.load()
    release, held = toy_release(model), service.snapshot.candles
    assert held is not None
    service._snapshot = replace(service.snapshot, release=release, board=Board(release, held.windows))
    return service


def test_health_answers_while_a_prediction_takes_long_and_who_leaves_does_no_harm() -> None:
    house, slow = House("BTC", "ETH"), SlowModel("regressor_rf")
    app = create_app(fixed(house, slow), version="1.2.3", clock=house.clock)
    with live(app) as url, httpx.Client(base_url=url, timeout=120) as client:
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port)) as impatient:
            impatient.sendall(b"GET /symbol/BTC HTTP/1.1\r\nHost: x\r\n\r\n")
            assert slow.entered.wait(120)
        assert client.get("/health").status_code == 200
        slow.release.set()
        assert client.get("/symbol/BTC").json()["ativo"] == "BTC"
        assert slow.batches == [1]


def raw(url: str, request: bytes) -> tuple[int, bytes]:
    """What a client says that no library would let us say; status and body of the answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as connection:
        connection.sendall(request)
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


@pytest.mark.parametrize(
    "path",
    [
        b"/symbol/%ff%fe",
        b"/symbol/%00",
        b"/symbol/..%2f..%2fetc%2fpasswd",
        b"/symbol/BTC%0d%0aX-Evil:1",
        b"/symbol/" + b"A" * 5000,
        b"//symbol//BTC",
        b"/symbol/%",
        b"/%2e%2e/%2e%2e/",
        b"*",
    ],
)
def test_hostile_paths_are_refused_as_problems(loaded: Live, path: bytes) -> None:
    status, body = raw(
        str(loaded.client.base_url), b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert status in (404, 422)
    assert json.loads(body)["status"] == status
    assert b"evil" not in body.lower()
    assert loaded.get("/").status_code == 200
