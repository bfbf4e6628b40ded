"""A real server with traces on: what an OTLP receiver gets, and that one which misbehaves is not felt."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.otlp import Behaviour, Receiver, Told, receiving
from tests.doubles.processes import command, free_port, resident_kib, serving
from tests.integration.serving_store import filled_store

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED, UNASKED = f"00-{TRACE}-{PARENT}-01", f"00-{'ab' * 16}-{PARENT}-00"


def settings(folder: Path, receiver: str, **others: str) -> dict[str, str]:
    return {"CRIPTO_STORE": filled_store(folder), "CRIPTO_TRACES": receiver, "CRIPTO_ACCESS_LOG": "true", **others}


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "serve.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def route(spans: dict[str, Told]) -> Told:
    return spans["GET /symbol/{ativo}"]


def test_a_receiver_gets_what_requests_and_the_first_load_spent_their_time_on(tmp_path: Path) -> None:
    with receiving() as receiver:
        env = settings(
            tmp_path,
            receiver.url,
            CRIPTO_TRACES_SAMPLE="0",
            CRIPTO_WARM_ASSETS="1",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            OTEL_EXPORTER_OTLP_HEADERS="x-key=sesame",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        )
        with serving("serve", env=env, cwd=tmp_path) as client:
            asked: dict[str, int] = {}
            for number, (path, headers) in enumerate(
                [
                    ("/symbol/BTC", {}),
                    ("/symbol/ETH", {}),
                    ("/symbol/NOPE", {}),
                    ("/symbol/BTC", {"If-None-Match": "*"}),
                ]
            ):
                trace = f"{number + 1:032x}"
                parent = {"traceparent": f"00-{trace}-{PARENT}-01", "X-Request-ID": f"request-{number}"}
                asked[trace] = client.get(path, headers={**headers, **parent}).status_code
            client.get("/symbol/BTC", headers={"traceparent": UNASKED})
            client.get("/symbol/BTC")
    assert list(asked.values()) == [200, 200, 404, 304]
    check_requests(receiver, asked)
    check_renewal(receiver)
    assert {span.trace for span in receiver.spans if span.server} == set(asked)
    assert receiver.headers["x-key"] == "sesame"
    # logs and traces meet in both directions
    logged = {line["request_id"]: line.get("trace_id") for line in lines(tmp_path) if line["event"] == "request"}
    traced = {span.facts["cripto.request_id"]: span.trace for span in receiver.spans if span.server}
    assert traced == {name: trace for name, trace in logged.items() if trace is not None}
    assert set(traced) == {f"request-{number}" for number in range(4)}


def check_requests(receiver: Receiver, asked: dict[str, int]) -> None:
    steps: list[set[str]] = []
    for trace, status in asked.items():
        spans = receiver.of_trace(trace)
        request = route(spans)
        assert request.facts["http.response.status_code"] == status
        assert (request.parent, request.server, request.failed) == (PARENT, True, False)
        inner = {name: span for name, span in spans.items() if span is not request}
        assert {span.parent for span in inner.values()} <= {request.id}
        assert all(span.seconds <= request.seconds for span in inner.values())
        steps.append(set(inner))
    # of two assets the busiest is answered in advance, and the other one has just been worked out
    assert sorted(steps[:2], key=len) == [set(), {"features", "models", "encode"}]
    assert steps[2:] == [set(), set()]


def check_renewal(receiver: Receiver) -> None:
    (renew,) = receiver.named("renew")
    spans = receiver.of_trace(renew.trace)
    assert set(spans) == {"renew", "release.load", "release.smoke", "candles.read", "board.warm"}
    assert spans["release.load"].facts == {"cripto.release": "20250729-2130"}
    assert spans["release.smoke"].parent == spans["release.load"].id
    assert spans["board.warm"].parent == renew.id
    process = renew.process
    assert process["service.name"] == "cripto-prediction-api"
    assert process["deployment.environment.name"] == "test"
    assert re.fullmatch(r"[0-9a-f-]{36}", process["service.instance.id"])


@pytest.mark.slow
def test_each_worker_sends_its_own(tmp_path: Path) -> None:
    with receiving() as receiver:
        env = settings(tmp_path, receiver.url, CRIPTO_TRACES_SAMPLE="1", CRIPTO_WORKERS="2")
        with serving("serve", env=env, cwd=tmp_path):
            deadline = time.monotonic() + 60
            while len({span.process["service.instance.id"] for span in receiver.named("renew")}) < 2:
                assert time.monotonic() < deadline, receiver
                time.sleep(0.1)


@pytest.mark.slow
def test_nothing_is_sent_where_only_a_standard_variable_names_a_receiver(tmp_path: Path) -> None:
    with receiving() as receiver:
        env = {
            "CRIPTO_STORE": filled_store(tmp_path),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        }
        with serving("serve", env=env, cwd=tmp_path) as client:
            assert client.get("/symbol/BTC", headers={"traceparent": ASKED}).status_code == 200
        assert receiver.requests == 0


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["refuses", "hangs", "floods", "absent"])
def test_a_receiver_that_misbehaves_is_not_felt(tmp_path: Path, behaviour: Behaviour | str) -> None:
    with receiving("takes" if behaviour == "absent" else behaviour) as receiver:  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{free_port()}" if behaviour == "absent" else receiver.url
        env = settings(
            tmp_path,
            url,
            CRIPTO_TRACES_SAMPLE="1",
            CRIPTO_ACCESS_LOG="false",
            # the SDK by itself would then wait for half a minute at the end
            OTEL_EXPORTER_OTLP_TIMEOUT="120",
        )
        with serving("serve", env=env, cwd=tmp_path) as client:
            statuses = [client.get("/symbol/BTC").status_code for _ in range(100)]
            before = resident_kib(client.pid)
            # several batches, and more than the queue holds
            statuses += [client.get("/symbol/BTC").status_code for _ in range(4000)]
            grown = resident_kib(client.pid) - before
            asked = time.monotonic()
        ended = time.monotonic() - asked
    assert set(statuses) == {200}
    assert ended < 15
    assert grown < 64 * 1024
    assert receiver.requests > 0 or behaviour == "absent"
    complaints = [line for line in lines(tmp_path) if line["logger"].startswith(("cripto.serving.traces", "open"))]
    assert len(complaints) <= 4, complaints
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


def test_a_receiver_that_is_none_is_refused_at_start(tmp_path: Path) -> None:
    done = command("serve", env={"CRIPTO_STORE": "memory://", "CRIPTO_TRACES": "collector:4318"}, cwd=tmp_path)
    assert done.returncode == 3
    assert "cripto: CRIPTO_TRACES: a receiver of traces is http://host:port" in done.stderr
