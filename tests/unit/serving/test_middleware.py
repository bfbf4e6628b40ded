import asyncio
import logging
from typing import Any

import pytest

from cripto.serving.metrics import Metrics
from cripto.serving.middleware import Envelope
from cripto.serving.request_log import RequestLog
from cripto.serving.services import Services
from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application


@pytest.mark.parametrize("given", ["abc-123_X.z", "A" * 64])
def test_a_sane_request_id_is_kept(given: str) -> None:
    response = Client(application(House())).get("/nada", {"X-Request-ID": given})
    assert response.headers["x-request-id"] == given
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "A" * 65, "a b", "<script>", 'a"b'])
def test_any_other_request_id_is_replaced(given: str) -> None:
    response = Client(application(House())).get("/", {"X-Request-ID": given})
    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 16


def test_each_request_gets_its_own_id() -> None:
    client = Client(application(House()))
    assert client.get("/").headers["x-request-id"] != client.get("/").headers["x-request-id"]


def test_a_log_line_per_request_is_off_by_default(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Client(application(House())).get("/")
    assert [record for record in caplog.records if record.name == "cripto.access"] == []


def test_an_access_line_holds_the_template_and_nothing_a_caller_wrote(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(application(House(), access_log=True))
    with caplog.at_level(logging.INFO, "cripto.access"):
        client.request("BREW", "/symbol/evil%0Aline")
        client.get("/symbol/evil%0Aline", {"X-Request-ID": "mine"})
    brew, get = [record.__dict__ for record in caplog.records if record.name == "cripto.access"]
    assert (brew["method"], brew["status"]) == ("other", 405)
    assert (get["method"], get["route"], get["status"], get["request_id"]) == (
        "GET",
        "/symbol/{ativo}",
        422,
        "mine",
    )
    assert get["milliseconds"] >= 0
    assert all("evil" not in str(value) for record in (brew, get) for value in record.values())


def call(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    house = House()
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    envelope = Envelope(app, metrics=Metrics(Services(house.service), house.clock), log=RequestLog(enabled=False))
    asyncio.run(envelope(scope, receive, send))
    return sent


SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


def test_an_error_before_the_answer_is_a_problem() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("s3cr3t")

    start, body = call(app, dict(SCOPE))
    assert start["status"] == 500
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert b"s3cr3t" not in body["body"]


def test_an_error_amid_the_answer_is_left_to_the_server() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("s3cr3t")

    with pytest.raises(RuntimeError):
        call(app, dict(SCOPE))


def test_what_is_not_http_passes_through() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    assert call(app, scope) == []
    assert seen == [scope]


def test_the_callers_scope_is_not_changed() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["method"] == "GET"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hidden"})

    scope = SCOPE | {"method": "HEAD"}
    assert call(app, scope)[1]["body"] == b""
    assert scope == SCOPE | {"method": "HEAD"}
