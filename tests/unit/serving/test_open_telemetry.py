import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cripto.domain.steps import step
from cripto.errors import InvalidSettings
from cripto.forecasting import PredictionService
from cripto.serving import create_app, open_telemetry
from cripto.serving._otlp import Complaints
from cripto.serving.open_telemetry import OpenTelemetryTraces, send_traces
from cripto.serving.services import Services
from cripto.serving.tracing import Allowance
from tests.doubles.otlp import receiving
from tests.unit.forecasting.toys import VERSION, House, constant_onnx, draft
from tests.unit.serving.client import Client, application

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ASKED, UNASKED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"


class Taken:
    """Traces kept in memory."""

    def __init__(self, share: float = 1.0, **options: Any) -> None:
        self._kept = InMemorySpanExporter()
        self.traces = OpenTelemetryTraces(SimpleSpanProcessor(self._kept), share=share, version="1.2.3", **options)

    @property
    def spans(self) -> list[ReadableSpan]:
        """In the order they ended in."""
        return list(self._kept.get_finished_spans())

    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@pytest.fixture
def taken() -> Iterator[Taken]:
    made = Taken()
    yield made
    made.traces.close()


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    context, parent = span.context, span.parent
    return (
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        None if parent is None else f"{parent.span_id:016x}",
    )


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def served(taken: Taken, *, loaded: bool = True, **options: Any) -> Client:
    house = House("BTC", "ETH")
    if loaded:
        house.service.load()
    return Client(application(house, traces=taken.traces, **options))


def test_a_request_at_hand_is_one_span_by_the_conventions_with_its_request_id(taken: Taken) -> None:
    client = served(taken)
    tag = client.get("/symbol/btc", {"X-Request-ID": "mine", "traceparent": ASKED}).headers["etag"]
    client.get("/symbol/BTC?x=secret", {"If-None-Match": tag})
    first, second = taken.spans
    assert first.name == second.name == "GET /symbol/{ativo}"
    assert first.kind.name == "SERVER"
    assert facts(first) == {
        "http.request.method": "GET",
        "http.route": "/symbol/{ativo}",
        "http.response.status_code": 200,
        "cripto.request_id": "mine",
    }
    assert (ids(first)[0], ids(first)[2]) == (TRACE, PARENT)
    assert facts(second)["http.response.status_code"] == 304
    assert ids(second)[0] != TRACE
    assert ids(second)[2] is None


def test_nothing_a_caller_wrote_is_told(taken: Taken) -> None:
    client = served(taken)
    client.request("BREW", "/symbol/evil")
    client.get("/evil?evil=evil", {"X-Request-ID": "evil evil", "tracestate": "evil=1", "traceparent": ASKED})
    client.get("/symbol/evil", {"baggage": "evil=1"})
    brew, nowhere, unknown = taken.spans
    assert (brew.name, facts(brew)["http.request.method"]) == ("HTTP /symbol/{ativo}", "_OTHER")
    assert (nowhere.name, "http.route" in facts(nowhere)) == ("GET", False)
    assert [facts(span)["http.response.status_code"] for span in taken.spans] == [405, 404, 404]
    assert all("evil" not in span.to_json().lower() for span in taken.spans)
    assert [span.status.status_code.name for span in taken.spans] == ["UNSET"] * 3
    assert unknown.name == "GET /symbol/{ativo}"


def test_an_answer_that_is_a_fault_of_ours_is_an_error(taken: Taken) -> None:
    served(taken, loaded=False).get("/symbol/BTC")
    (span,) = taken.spans
    assert (span.status.status_code.name, facts(span)["error.type"]) == ("ERROR", "503")


def test_an_answer_worked_out_tells_its_steps(taken: Taken) -> None:
    house = House("BTC", "ETH")
    service = PredictionService(house.registry, house.lake, clock=house.clock, interval="1d", warm_assets=1)
    service.load()
    cold = next(asset for asset in ("BTC", "ETH") if service.held(asset) is None)
    app = create_app(service, version="1.2.3", clock=house.clock, traces=taken.traces)
    Client(app).get(f"/symbol/{cold}")
    assert taken.names() == ["features", "models", "encode", "GET /symbol/{ativo}"]
    *steps, request = taken.spans
    assert {ids(span)[0] for span in steps} == {ids(request)[0]}
    assert {ids(span)[2] for span in steps} == {ids(request)[1]}
    assert facts(steps[1]) == {"cripto.release": VERSION, "cripto.assets": 1}


def test_a_caller_that_asks_for_no_trace_gets_none_and_others_by_chance() -> None:
    draws = iter([0.009, 0.01, 0.5])
    taken = Taken(share=0.01, chance=lambda: next(draws))
    assert taken.traces.request(UNASKED.encode()) is None
    assert taken.traces.request(ASKED.encode()) is not None
    assert taken.traces.request(None) is not None
    assert taken.traces.request(None) is None
    assert taken.traces.request(b"no parent at all") is None
    taken.traces.close()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_ends_of_the_share_are_none_and_all(share: float) -> None:
    taken = Taken(share=share)
    assert all((taken.traces.request(None) is not None) is (share == 1.0) for _ in range(100))
    taken.traces.close()


def test_callers_cannot_have_more_traced_than_the_allowance() -> None:
    taken = Taken(share=0.0, allowance=Allowance(10, lambda: 0.0))
    assert sum(taken.traces.request(ASKED.encode()) is not None for _ in range(1000)) == 10
    taken.traces.close()


def test_a_parent_without_an_end_is_none_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    taken = Taken(share=0.0)
    assert taken.traces.request(ASKED.encode() + b"-" + b"x" * 60_000) is None
    assert taken.traces.request(b"\xff" * 55) is None
    assert caplog.records == []
    taken.traces.close()


def test_the_log_line_of_a_traced_request_names_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    taken = Taken(share=0.0)
    client = served(taken, access_log=True)
    with caplog.at_level(logging.INFO, "cripto.access"):
        client.get("/symbol/BTC", {"traceparent": ASKED})
        client.get("/symbol/BTC", {"traceparent": UNASKED})
        client.get("/models", {"traceparent": ASKED})
    lines = [record.__dict__ for record in caplog.records if record.name == "cripto.access"]
    assert [line.get("trace_id") for line in lines] == [TRACE, None, TRACE]
    assert [facts(span)["cripto.request_id"] for span in taken.spans] == [
        lines[0]["request_id"],
        lines[2]["request_id"],
    ]
    taken.traces.close()


def test_traces_write_no_line_where_none_is_wanted(taken: Taken, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        served(taken).get("/symbol/BTC")
    assert [record for record in caplog.records if record.name == "cripto.access"] == []


def test_a_swap_is_one_trace_and_a_look_that_finds_nothing_is_none(taken: Taken) -> None:
    house = House("BTC")
    services = Services(house.service, (), taken.traces.renewal)
    services.refresh_all()
    assert taken.names() == ["release.smoke", "release.load", "candles.read", "board.warm", "renew"]
    smoke, load, candles, board, renew = taken.spans
    assert facts(renew) == {"cripto.interval": "1d"}
    assert facts(load) == {"cripto.release": VERSION}
    assert facts(board) == {"cripto.release": VERSION, "cripto.assets": 1}
    assert ids(smoke)[2] == ids(load)[1]
    assert {ids(span)[2] for span in (load, candles, board)} == {ids(renew)[1]}
    assert renew.start_time is not None
    assert load.start_time is not None
    assert renew.start_time <= load.start_time
    services.refresh_all()
    services.follow(house.service)
    assert len(taken.spans) == 5


def test_a_release_that_is_refused_leaves_the_kind_of_its_error_and_not_its_words(taken: Taken) -> None:
    house = House("BTC")
    services = Services(house.service, (), taken.traces.renewal)
    services.refresh_all()
    before = len(taken.spans)
    house.registry.publish(
        draft("20250801-0000", models={"regressor_rf": constant_onnx("regressor_rf", float("nan"))})
    )
    services.refresh_all()
    smoke, load, *_ = taken.spans[before:]
    assert [span.name for span in (smoke, load)] == ["release.smoke", "release.load"]
    assert [facts(span)["error.type"] for span in (smoke, load)] == ["ModelRefused", "ReleaseRefused"]
    assert load.events == ()
    assert load.status.description is None


def test_a_reload_that_is_traced_holds_what_it_did(taken: Taken) -> None:
    served(taken, loaded=False).get("/reload", {"traceparent": ASKED})
    by_name = {span.name: span for span in taken.spans}
    assert set(by_name) == {
        "release.smoke",
        "release.load",
        "candles.read",
        "board.warm",
        "renew",
        "GET /reload",
    }
    assert {ids(span)[0] for span in by_name.values()} == {TRACE}
    assert ids(by_name["renew"])[2] == ids(by_name["GET /reload"])[1]


def test_the_process_says_who_it_is_and_its_operator_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for attributes in ("", "service.name=mine,deployment.environment.name=test"):
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", attributes)
        taken = Taken()
        with taken.traces.renewal("1d"), step("a"):
            pass
        process = dict(taken.spans[0].resource.attributes)
        names.append((process["service.name"], process.get("deployment.environment.name")))
        assert process["service.version"] == "1.2.3"
        assert process["service.instance.id"]
        taken.traces.close()
    assert names == [("cripto-prediction-api", None), ("mine", "test")]


def test_a_variable_of_the_sdk_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many")
    with pytest.raises(InvalidSettings, match="OTEL_"):
        send_traces("http://127.0.0.1:1", share=1.0, version="1.2.3")


class Stuck(SpanProcessor):
    """Never done."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def shutdown(self) -> None:
        self.release.wait(60)


def test_what_does_not_end_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_telemetry, "_CLOSE_SECONDS", 0.01)
    stuck = Stuck()
    traces = OpenTelemetryTraces(stuck, share=1.0, version="1.2.3")
    traces.close()
    assert "could not be sent" in caplog.text
    stuck.release.set()
    traces.close()


def test_an_answer_without_an_end_is_not_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(open_telemetry, "_CLOSE_SECONDS", 15)  # less than the SDK waits by itself
    with receiving("floods") as receiver:
        traces = send_traces(receiver.url, share=1.0, version="1.2.3")
        with traces.renewal("1d"), step("a"):
            pass
        traces.close()
    assert receiver.requests == 1
    assert caplog.records == []


def test_complaints_are_told_once_a_minute_with_how_many_were_not(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    complaints = Complaints(lambda: now)
    complaints.attach()
    exporter = logging.getLogger("opentelemetry.some.exporter")
    for number in range(1000):
        exporter.warning("fault %d", number)
    now = 60.0
    exporter.error("another")
    complaints.detach()
    exporter.warning("afterwards")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("cripto.serving.traces", "fault 0 (0 such lines were held back before)"),
        ("cripto.serving.traces", "another (999 such lines were held back before)"),
        ("opentelemetry.some.exporter", "afterwards"),
    ]
