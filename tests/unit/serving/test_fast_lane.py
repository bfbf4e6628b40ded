import asyncio
import logging
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from fastapi import FastAPI

from cripto.forecasting import Answer, PredictionService
from cripto.serving import create_app
from cripto.serving.caching import CacheControl
from cripto.serving.fast_lane import FastLane
from cripto.serving.metrics import Metrics
from cripto.serving.request_log import RequestLog
from cripto.serving.services import Services
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, House, candles
from tests.unit.serving.client import Client, application


class NothingAtHand(PredictionService):
    """Never has an answer at hand, so that the route itself answers."""

    def held(self, asset: str, now: datetime | None = None) -> Answer | None:
        return None


def house(*symbols: str) -> House:
    made = House(*(symbols or ("BTC", "ETH")))
    made.service.load()
    return made


def slow_application(made: House) -> FastAPI:
    service = NothingAtHand(made.registry, made.lake, clock=made.clock, interval="1d", listings=made.book)
    service.load()
    return create_app(service, version="1.2.3", clock=made.clock)


async def nowhere(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['path']} was passed on")


def ask(lane: FastLane, path: str = "/symbol/BTC", method: str = "GET", **headers: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a plain question has no body to be read")

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(lane(scope, receive, send))
    return sent


def lane_of(made: House, app: Any = nowhere) -> FastLane:
    return FastLane(
        app,
        services=Services(made.service),
        clock=made.clock,
        metrics=Metrics(Services(made.service), made.clock),
        cache_control=CacheControl(30),
        log=RequestLog(enabled=False),
    )


@pytest.mark.parametrize("path", ["/symbol/BTC", "/symbol/btc", "/symbol/Btc?x=1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("tags", [None, "*", '"x"', "W/{}", '"x", {}', "{}"])
def test_the_fast_lane_and_the_route_answer_alike(path: str, method: str, tags: str | None) -> None:
    made = house()
    etag = made.service.answer("BTC").etag
    headers = {"X-Request-ID": "mine"} | ({} if tags is None else {"If-None-Match": tags.format(etag)})
    fast = Client(application(made)).request(method, path, headers)
    slow = Client(slow_application(made)).request(method, path, headers)
    assert fast.status_code == slow.status_code
    assert fast.content == slow.content
    assert dict(fast.headers) == dict(slow.headers)


def test_an_answer_at_hand_never_reaches_the_framework() -> None:
    made = house()
    start, body = ask(lane_of(made))
    assert start["status"] == 200
    assert body["body"] == made.service.answer("BTC").body


def test_what_is_not_at_hand_is_passed_on() -> None:
    lane = lane_of(house())
    for path in ("/symbol/NOPE", "/symbol/", "/symbol/B-C", "/symbol/BTC/", "/health", "/symbolBTC"):
        with pytest.raises(AssertionError, match="passed on"):
            ask(lane, path)
    for method in ("POST", "OPTIONS", "DELETE", "BREW"):
        with pytest.raises(AssertionError, match="passed on"):
            ask(lane, method=method)


@pytest.mark.parametrize(("asset", "looks_like"), [("\u00df", "SS"), ("\u0131NJ", "INJ"), ("\u017fOL", "SOL")])
def test_letters_that_only_look_alike_in_upper_case_are_refused(asset: str, looks_like: str) -> None:
    assert asset.upper() == looks_like
    made = house(looks_like)
    assert Client(application(made)).get(f"/symbol/{asset}").status_code == 422


def test_nothing_loaded_is_passed_on() -> None:
    response = Client(application(House("BTC", publish=False))).get("/symbol/BTC")
    assert response.status_code == 503


def test_a_cache_may_keep_an_answer_until_the_next_refresh_or_boundary() -> None:
    made = house()
    client = Client(application(made, refresh_seconds=30))
    rest = ", stale-while-revalidate=30"
    assert client.get("/symbol/BTC").headers["cache-control"] == f"public, max-age=30{rest}"
    made.clock.time = LAST_CLOSE + DAILY.step - timedelta(seconds=7.9)
    assert client.get("/symbol/BTC").headers["cache-control"] == f"public, max-age=7{rest}"


def test_every_answer_is_counted_and_timed() -> None:
    made = house()
    client = Client(application(made))
    etag = client.get("/symbol/BTC").headers["etag"]
    client.get("/symbol/BTC", {"If-None-Match": etag})
    client.request("HEAD", "/symbol/BTC")
    text = client.get("/metrics").text
    for method, status in (("GET", 200), ("GET", 304), ("HEAD", 200)):
        line = f'cripto_http_requests_total{{method="{method}",route="/symbol/{{ativo}}",status="{status}"}} 1.0'
        assert line in text
    assert "cripto_prediction_seconds_count 3.0" in text


def test_a_log_line_is_written_where_one_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "cripto.access"):
        Client(application(house())).get("/symbol/BTC")
        assert caplog.records == []
        Client(application(house(), access_log=True)).get("/symbol/BTC", {"X-Request-ID": "mine"})
    (line,) = [record.__dict__ for record in caplog.records if record.name == "cripto.access"]
    assert (line["method"], line["route"], line["status"], line["request_id"]) == (
        "GET",
        "/symbol/{ativo}",
        200,
        "mine",
    )


@pytest.mark.parametrize("given", ["", "A" * 65, "a b", "<script>", 'a"b'])
def test_an_id_that_is_not_a_sane_one_is_replaced(given: str) -> None:
    response = Client(application(house())).get("/symbol/BTC", {"X-Request-ID": given})
    assert len(response.headers["x-request-id"]) == 16


@pytest.mark.parametrize("path", ["/symbol/BTC", "/health"])
def test_the_first_sane_id_is_taken_at_hand_and_by_a_route(path: str) -> None:
    headers = [("X-Request-ID", "not sane"), ("X-Request-ID", "mine"), ("X-Request-ID", "other")]
    assert Client(application(house())).get(path, headers).headers["x-request-id"] == "mine"


def test_the_boundary_of_an_interval_reaches_nobody() -> None:
    made = house()
    lane = lane_of(made)
    missed = LAST_CLOSE + DAILY.step + DAILY.grace
    made.clock.time = missed - timedelta(seconds=3)
    assert made.service.keep_told() == 3.0
    before = ask(lane)[1]["body"]
    made.clock.time = missed
    after = ask(lane)[1]["body"]
    assert before != after
    assert b'"candles_em_atraso":1' in after
    assert made.service.keep_told() == (DAILY.step - timedelta(seconds=10)).total_seconds()


def test_a_candle_that_arrives_within_its_grace_changes_an_answer_once() -> None:
    made = house("BTC")
    lane, closes = lane_of(made), LAST_CLOSE + DAILY.step
    later = candles("BTC").with_columns(pl.col("time").dt.offset_by("1d")).tail(1)
    bodies = []
    for seconds in (-1, 0, 59, 59.5, 60, 61, 24 * 3600 - 1, 24 * 3600 + 59):
        made.clock.time = closes + timedelta(seconds=seconds)
        if seconds == 59.5:
            made.lake.upsert(later)
        made.service.refresh()
        made.service.keep_told()
        bodies.append(ask(lane)[1]["body"])
    assert len(set(bodies[:3])) == len(set(bodies[3:])) == 1
    assert bodies[2] != bodies[3]
    assert all(b'"situacao":"atual","candles_em_atraso":0' in body for body in bodies)


def test_within_the_grace_of_a_candle_caches_ask_each_time() -> None:
    made = house()
    client = Client(application(made, refresh_seconds=30))
    made.clock.time = LAST_CLOSE + DAILY.step + timedelta(seconds=5)
    for path in ("/symbol/BTC", "/predictions?ativos=BTC", "/symbols"):
        assert client.get(path).headers["cache-control"] == "public, max-age=0, stale-while-revalidate=30"


class TestOtherOrigins:
    PAGE = "https://painel.example"

    def app(self, *origins: str) -> Client:
        made = house()
        return Client(create_app(made.service, version="1.2.3", clock=made.clock, cors_origins=origins))

    def test_no_page_of_another_origin_may_read_answers_by_default(self) -> None:
        response = self.app().get("/symbol/BTC", {"Origin": self.PAGE})
        assert response.status_code == 200
        assert not [name for name in response.headers if name.startswith("access-control")]

    @pytest.mark.parametrize("path", ["/symbol/BTC", "/symbol/NOPE", "/health", "/nada"])
    def test_any_page_may_where_all_are_named(self, path: str) -> None:
        response = self.app("*").get(path, {"Origin": self.PAGE})
        assert response.headers["access-control-allow-origin"] == "*"
        assert "ETag" in response.headers["access-control-expose-headers"]

    def test_a_named_page_may_and_no_other(self) -> None:
        client = self.app(self.PAGE)
        allowed = client.get("/symbol/BTC", {"Origin": self.PAGE})
        assert allowed.headers["access-control-allow-origin"] == self.PAGE
        other = client.get("/symbol/BTC", {"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        # a shared cache must not give one origin's answer, or that of none, to another
        for response in (allowed, other, client.get("/symbol/BTC")):
            assert "Origin" in response.headers["vary"]

    def test_a_preflight_is_answered(self) -> None:
        asked = {
            "Origin": self.PAGE,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "If-None-Match, X-Request-ID",
        }
        response = self.app(self.PAGE).request("OPTIONS", "/symbol/BTC", asked)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == self.PAGE
        refused = self.app(self.PAGE).request(
            "OPTIONS", "/symbol/BTC", asked | {"Access-Control-Request-Method": "POST"}
        )
        assert refused.status_code == 400
