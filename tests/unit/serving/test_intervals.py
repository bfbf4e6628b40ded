"""Several intervals served at once: each by its own release, on its own candles, and none at the others' cost."""

import json
import threading
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from fastapi import FastAPI

from cripto.domain.interval import INTERVALS
from cripto.errors import StorageUnavailable
from cripto.forecasting import PredictionService, Snapshot
from cripto.serving import create_app
from cripto.serving.services import Services
from tests.doubles.candles import random_walk
from tests.unit.forecasting.toys import LAST_CLOSE, VERSION, House, draft
from tests.unit.serving.client import Client, problem

HOURLY = INTERVALS["1h"]
HOUR_VERSION = "20250729-2200"
ROUTES = ("/symbol/BTC", "/predictions?ativos=BTC,ETH,NOPE", "/symbols", "/models")


def hours(*symbols: str, count: int = 80, until: Any = LAST_CLOSE) -> pl.DataFrame:
    return random_walk(symbols, count, HOURLY, until - count * HOURLY.step, source="kraken")


class TwoHouses(House):
    """A house whose lake and registry also hold hours, and the service of those."""

    def __init__(self, *symbols: str, hourly: bool = True) -> None:
        super().__init__(*symbols)
        self.clock.time = LAST_CLOSE + timedelta(minutes=30)
        if hourly:
            self.lake.upsert(hours(*symbols))
            self.registry.publish(draft(HOUR_VERSION, interval="1h"))
        self.hourly = PredictionService(
            self.registry,
            self.lake,
            clock=self.clock,
            interval="1h",
            default_interval="1d",
            quotes=("USDT", "USD"),
        )

    def app(self, **options: Any) -> FastAPI:
        return create_app(self.service, others=[self.hourly], version="1.2.3", clock=self.clock, **options)


def loaded(*symbols: str) -> TwoHouses:
    houses = TwoHouses(*(symbols or ("BTC", "ETH")))
    Services(houses.service, [houses.hourly]).refresh_all()
    return houses


def joined(path: str, query: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}{query}"


def test_each_interval_is_answered_by_its_own_release_on_its_own_candles() -> None:
    client = Client(loaded().app())
    daily, hourly = client.get("/symbol/BTC").json(), client.get("/symbol/BTC?intervalo=1h").json()
    assert (daily["intervalo"], daily["release"], daily["alvo"]) == ("1d", VERSION, "2025-03-23T00:00:00Z")
    assert (hourly["intervalo"], hourly["release"], hourly["alvo"]) == ("1h", HOUR_VERSION, "2025-03-22T01:00:00Z")
    assert daily["dados"]["fonte"] == "binance"
    assert hourly["dados"]["fonte"] == "kraken"
    assert client.get("/models?intervalo=1h").json()["release"] == HOUR_VERSION
    listed = client.get("/symbols?intervalo=1h").json()
    assert (listed["intervalo"], listed["ativos"][0]["fonte"]) == ("1h", "kraken")
    many = client.get("/predictions?ativos=ETH,BTC&intervalo=1h").json()["predicoes"]
    assert many[1] == hourly


@pytest.mark.parametrize("path", ROUTES)
def test_the_default_interval_by_name_is_the_very_same_answer(path: str) -> None:
    client = Client(loaded().app())
    plain, named = client.get(path), client.get(joined(path, "intervalo=1d"))
    assert plain.status_code == named.status_code == 200
    assert plain.content == named.content
    assert plain.headers.get("etag") == named.headers.get("etag")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("text", ["", "1H", "1w", "3h", "%00", "1h,1d", "../1h", "1d%20"])
def test_what_is_no_interval_is_refused_and_not_echoed(path: str, text: str) -> None:
    value = problem(Client(loaded().app()).get(joined(path, f"intervalo={text}")), 422, "intervalo-invalido")
    assert value["intervalos"] == list(INTERVALS)
    assert value["detail"] == f"Os intervalos são {', '.join(INTERVALS)}."


@pytest.mark.parametrize("path", ROUTES)
def test_an_interval_that_is_not_served_here_is_not_found(path: str) -> None:
    value = problem(Client(loaded().app()).get(joined(path, "intervalo=4h")), 404, "intervalo-nao-servido")
    assert value["intervalos"] == ["1d", "1h"]
    assert value["detail"] == "O intervalo 4h não é servido aqui. São servidos: 1d, 1h."


@pytest.mark.parametrize(
    "query",
    ["intervalo=1h", "intervalo=1%68", "%69ntervalo=1h", "x=1&intervalo=1h", "intervalo=1d&intervalo=1h"],
)
def test_the_interval_is_understood_however_it_is_written(query: str) -> None:
    client = Client(loaded().app())
    found = client.get(f"/symbol/BTC?{query}")
    assert found.json()["intervalo"] == "1h"
    assert found.content == client.get("/symbol/BTC?intervalo=1h").content


@pytest.mark.parametrize("query", ["x=1", "interval=1h", "x=%20", "INTERVALO=1h", "=", "&&"])
def test_other_parameters_are_passed_over(query: str) -> None:
    client = Client(loaded().app())
    assert client.get(f"/symbol/BTC?{query}").content == client.get("/symbol/BTC").content


def test_pages_of_another_interval_lead_to_its_next_page() -> None:
    client = Client(loaded("AAA", "BBB", "CCC").app())
    first = client.get("/symbols?limite=2&intervalo=1h")
    assert first.headers["link"] == '<symbols?limite=2&apos=BBB&intervalo=1h>; rel="next"'
    assert [one["ativo"] for one in client.get("/symbols?limite=2&apos=BBB&intervalo=1h").json()["ativos"]] == [
        "CCC"
    ]
    assert client.get("/symbols?limite=2").headers["link"] == '<symbols?limite=2&apos=BBB>; rel="next"'


def test_a_candle_of_one_interval_changes_its_answers_alone() -> None:
    houses = loaded()
    client = Client(houses.app())
    before = {path: client.get(path).content for path in ("/symbol/BTC", "/symbol/BTC?intervalo=1h")}
    board = houses.service.snapshot.board
    houses.clock.time = LAST_CLOSE + timedelta(minutes=61)
    houses.lake.upsert(hours("BTC", "ETH", count=81, until=LAST_CLOSE + HOURLY.step))
    for service in (houses.service, houses.hourly):
        service.refresh()
    assert client.get("/symbol/BTC").content == before["/symbol/BTC"]
    assert client.get("/symbol/BTC?intervalo=1h").json()["timestamp"] == "2025-03-22T01:00:00Z"
    assert houses.service.status().computations == 2
    assert board is not None


def test_an_interval_without_a_release_leaves_the_others_alone() -> None:
    houses = TwoHouses("BTC", hourly=False)
    Services(houses.service, [houses.hourly]).refresh_all()
    client = Client(houses.app())
    assert client.get("/symbol/BTC").status_code == 200
    told = "Ainda não há modelos de 1h carregados. Tente de novo em breve."
    for path in ("/symbol/BTC?intervalo=1h", "/predictions?ativos=BTC&intervalo=1h", "/symbols?intervalo=1h"):
        assert problem(client.get(path), 503, "sem-release")["detail"] == told
    health = client.get("/health")
    value = health.json()
    assert (health.status_code, value["status"], value["total_models"]) == (200, "degraded", 5)
    (found,) = value["degraded"]
    assert (found["interval"], found["part"], found["reason"]) == ("1h", "release", "sem-release")
    assert found["detail"] == told
    assert [(one["interval"], one["status"], one["release"]) for one in value["intervals"]] == [
        ("1d", "healthy", VERSION),
        ("1h", "unhealthy", None),
    ]


def test_a_default_interval_without_a_release_leaves_the_others_alone() -> None:
    houses = TwoHouses("BTC")
    houses.hourly.refresh()
    health = Client(houses.app()).get("/health")
    value = health.json()
    assert (health.status_code, value["status"], value["models_loaded"]) == (200, "degraded", False)
    assert [(one["interval"], one["reason"]) for one in value["degraded"]] == [("1d", "sem-release")]
    assert Client(houses.app()).get("/symbol/BTC?intervalo=1h").status_code == 200


def test_an_interval_without_candles_leaves_the_others_alone() -> None:
    houses = TwoHouses("BTC", hourly=False)
    houses.registry.publish(draft(HOUR_VERSION, interval="1h"))
    Services(houses.service, [houses.hourly]).refresh_all()
    client = Client(houses.app())
    assert client.get("/symbol/BTC").status_code == 200
    problem(client.get("/symbol/BTC?intervalo=1h"), 404, "ativo-desconhecido")
    value = client.get("/health").json()
    assert value["status"] == "degraded"
    assert [(one["interval"], one["reason"]) for one in value["degraded"]] == [("1h", "sem-candles")]


@pytest.mark.parametrize(
    ("seconds", "told", "stale"),
    [
        (0, ("atual", 0), False),
        (59, ("atual", 0), False),
        (60, ("atrasado", 1), False),
        (90, ("atrasado", 1), True),
    ],
)
def test_a_quarter_of_an_hour_is_missed_after_a_minute(seconds: int, told: tuple[str, int], stale: bool) -> None:
    house, quarter = House(), INTERVALS["15m"]
    house.lake.upsert(random_walk(["BTC"], 80, quarter, LAST_CLOSE - 80 * quarter.step))
    house.registry.publish(draft(HOUR_VERSION, interval="15m"))
    service = PredictionService(house.registry, house.lake, clock=house.clock, interval="15m")
    house.clock.time = LAST_CLOSE + quarter.step + timedelta(seconds=seconds)
    service.refresh()
    client = Client(create_app(service, version="1.2.3", clock=house.clock))
    data, listed = client.get("/symbol/BTC").json()["dados"], client.get("/symbols").json()["ativos"][0]
    assert (data["situacao"], data["candles_em_atraso"]) == told
    assert (listed["situacao"], listed["candles_em_atraso"]) == told
    health = client.get("/health").json()
    assert health["candles"]["behind"] == told[1]
    assert ("candles-atrasados" in {one["reason"] for one in health["degraded"]}) == stale


def test_health_is_unhealthy_while_no_interval_can_predict() -> None:
    health = Client(TwoHouses("BTC").app()).get("/health")
    assert (health.status_code, health.json()["status"], health.json()["degraded"]) == (503, "unhealthy", [])


def test_a_reload_takes_up_all_and_says_what_came_of_each() -> None:
    houses = loaded()
    client = Client(houses.app(reload_min_seconds=0))
    houses.registry.publish(draft("20250730-0100", interval="1h"))
    value = client.get("/reload").json()
    assert value["release"] == VERSION
    assert value["intervals"] == [
        {"interval": "1d", "release": VERSION, "total_models": 5, "failed": None},
        {"interval": "1h", "release": "20250730-0100", "total_models": 5, "failed": None},
    ]
    assert client.get("/symbol/BTC?intervalo=1h").json()["release"] == "20250730-0100"


def test_a_reload_of_an_interval_that_has_no_release_fails_for_it_alone() -> None:
    houses = TwoHouses("BTC", hourly=False)
    client = Client(houses.app(reload_min_seconds=0))
    answer = client.get("/reload")
    assert answer.status_code == 200
    assert [(one["interval"], one["failed"]) for one in answer.json()["intervals"]] == [
        ("1d", None),
        ("1h", "sem-release"),
    ]
    houses.registry.fault = StorageUnavailable("down")
    value = problem(client.get("/reload"), 503, "recarga-falhou")
    assert value["release"] == VERSION


def test_metrics_tell_of_each_interval() -> None:
    houses = loaded()
    text = Client(houses.app()).get("/metrics").text
    for line in (
        "cripto_models_loaded 5.0",
        f'cripto_release_info{{interval="1d",release="{VERSION}"}} 1.0',
        f'cripto_release_info{{interval="1h",release="{HOUR_VERSION}"}} 1.0',
        'cripto_assets{interval="1d"} 2.0',
        'cripto_assets{interval="1h"} 2.0',
        'cripto_candle_age_seconds{interval="1h",which="freshest"} 1800.0',
        "cripto_predictions_computed_total 4.0",
        "cripto_refreshes_total 2.0",
    ):
        assert line in text.splitlines()
    empty = TwoHouses("BTC", hourly=False)
    empty.service.load()
    assert "cripto_models_loaded 0.0" in Client(empty.app()).get("/metrics").text


class Counted(PredictionService):
    """Notes how many are renewed at once."""

    at_once = most = 0
    lock = threading.Lock()
    entered = threading.Event()

    def refresh(self) -> Snapshot:
        cls = type(self)
        with cls.lock:
            cls.at_once += 1
            cls.most = max(cls.most, cls.at_once)
        cls.entered.wait(0.05)
        with cls.lock:
            cls.at_once -= 1
        return super().refresh()


def test_one_interval_is_renewed_after_the_other() -> None:
    house = House("BTC")
    both = [
        Counted(house.registry, house.lake, clock=house.clock, interval=name, default_interval="1d")
        for name in ("1d", "1h")
    ]
    services = Services(both[0], both[1:])
    threads = [threading.Thread(target=services.refresh_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counted.most == 1
    assert [service.status().refreshes for service in both] == [3, 3]


def test_the_coming_answers_of_every_interval_are_told_in_time() -> None:
    houses = loaded()
    services = Services(houses.service, [houses.hourly])
    houses.clock.time = LAST_CLOSE + HOURLY.step + HOURLY.grace - timedelta(seconds=4)
    assert services.keep_told() == 4.0
    houses.clock.time += timedelta(seconds=4)
    held = houses.hourly.held("BTC")
    assert held is not None
    assert json.loads(held.body)["dados"]["situacao"] == "atrasado"
    daily = houses.service.held("BTC")
    assert daily is not None
    assert json.loads(daily.body)["dados"]["situacao"] == "atual"
