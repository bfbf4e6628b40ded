import asyncio
import itertools
import threading
from datetime import timedelta

import pytest
from starlette.types import Receive, Scope, Send

from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import StorageDenied
from cripto.forecasting import PredictionService, Snapshot
from cripto.serving import create_app
from tests.unit.forecasting.toys import VERSION, House, constant_onnx, draft
from tests.unit.serving.client import Client, application, problem

TOKEN = "a-token-of-the-operator"
LATER = "20250801-0000"


class SlowService(PredictionService):
    """Loads only once several have asked, and counts."""

    def __init__(self, house: House) -> None:
        super().__init__(house.registry, house.lake, clock=house.clock, interval="1d")
        self.loads = 0
        self.several = threading.Event()

    def load(self) -> Snapshot:
        self.loads += 1
        assert self.several.wait(120)
        return super().load()


def test_a_reload_takes_up_what_the_store_holds_now() -> None:
    house = House("BTC")
    client = Client(application(house))
    value = client.get("/reload").json()
    assert value == {
        "message": "Modelos recarregados com sucesso",
        "total_models": 5,
        "models": list(MODEL_NAMES),
        "release": VERSION,
        "refused": [],
        "intervals": [{"interval": "1d", "release": VERSION, "total_models": 5, "failed": None}],
    }
    house.registry.publish(draft(LATER))
    house.clock.time += timedelta(minutes=1)
    assert client.get("/reload").json()["release"] == LATER
    assert client.get("/symbol/BTC").json()["release"] == LATER


def test_a_reload_too_soon_gets_the_last_result() -> None:
    house = House("BTC")
    client = Client(application(house, reload_min_seconds=5.0))
    first = client.get("/reload")
    house.registry.publish(draft(LATER))
    house.clock.time += timedelta(seconds=4)
    again = client.get("/reload")
    assert (again.status_code, again.content) == (200, first.content)
    house.clock.time += timedelta(seconds=1)
    assert client.get("/reload").json()["release"] == LATER
    assert "cripto_reloads_total 2.0" in client.get("/metrics").text


def test_a_clock_that_was_set_back_does_not_forbid_reloads() -> None:
    house = House("BTC")
    client = Client(application(house))
    client.get("/reload")
    house.registry.publish(draft(LATER))
    house.clock.time -= timedelta(days=9)
    assert client.get("/reload").json()["release"] == LATER


def test_reloads_at_once_are_one() -> None:
    house = House("BTC")
    service = SlowService(house)
    app = create_app(service, version="1.2.3", clock=house.clock, reload_min_seconds=0)
    arrived = itertools.count(1)

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        if next(arrived) == 10:  # it has to stand in line as well before the first one goes on
            asyncio.get_running_loop().call_later(0.2, service.several.set)
        await app(scope, receive, send)

    client = Client(counted)
    responses = client.together("/reload", 10)
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert service.loads == 1


def test_a_failed_reload_serves_on_what_was_served() -> None:
    house = House("BTC")
    house.service.load()
    client = Client(application(house))
    before = client.get("/symbol/BTC").content
    house.registry.publish(draft(LATER, models={"classifier_rf": constant_onnx("classifier_rf", float("nan"))}))
    value = problem(client.get("/reload"), 503, "recarga-falhou")
    assert value["causa"] == "release-recusada"
    assert value["release"] == VERSION
    assert client.get("/symbol/BTC").content == before
    assert client.get("/models").json()["refused"][0]["release"] == LATER
    metrics = client.get("/metrics").text
    assert "cripto_reload_failures_total 1.0" in metrics
    assert 'cripto_refresh_failures_total{part="release"} 1.0' in metrics


def test_a_failed_reload_with_nothing_loaded_says_so() -> None:
    value = problem(Client(application(House(publish=False))).get("/reload"), 503, "recarga-falhou")
    assert (value["causa"], value["release"]) == ("sem-release", None)


def test_an_unforeseen_failure_of_a_reload_shows_nothing_of_it() -> None:
    house = House("BTC")
    house.registry.fault = RuntimeError("s3cr3t")
    response = Client(application(house)).get("/reload")
    assert problem(response, 503, "recarga-falhou")["causa"] == "erro-interno"
    assert "s3cr3t" not in response.text


def test_denied_storage_is_named() -> None:
    house = House("BTC")
    house.registry.fault = StorageDenied("key AKIA")
    response = Client(application(house)).get("/reload")
    assert problem(response, 503, "recarga-falhou")["causa"] == "armazenamento-negado"
    assert "AKIA" not in response.text


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"]
)
def test_a_wrong_or_missing_token_is_refused_where_one_is_set(header: str | None) -> None:
    house = House("BTC")
    client = Client(application(house, admin_token=TOKEN))
    # as latin-1, like any client that does not care
    headers = None if header is None else {"Authorization": header.encode("latin-1")}
    response = client.get("/reload", headers)  # type: ignore[arg-type]
    problem(response, 401, "nao-autorizado")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in response.text
    assert not house.service.ready


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_right_token_reloads(scheme: str) -> None:
    client = Client(application(House("BTC"), admin_token=TOKEN))
    assert client.get("/reload", {"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


def test_head_never_reloads() -> None:
    house = House("BTC")
    assert Client(application(house)).request("HEAD", "/reload").status_code == 405
    assert not house.service.ready
