"""What wrk's script reports is read as it was meant, and anything else is no measurement."""

import json
from typing import Any

import pytest

from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.wrk import parse_report

REPORT: dict[str, Any] = {
    "requests": 30_000,
    "microseconds": 2_000_000,
    "bytes": 41_000_000,
    "not_found": 0,
    "errors": {"connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0},
    "latency_us": {"p50": 640, "p90": 800, "p99": 1200, "p999": 3000, "max": 9000, "mean": 700.5},
}


def test_a_rate_is_requests_by_the_seconds_they_really_took() -> None:
    load = parse_report(json.dumps(REPORT))
    assert load.rate == 15_000
    assert load.latency_us["p99"] == 1200
    assert load.faults == ""
    assert load.to_json()["rate"] == 15_000


@pytest.mark.parametrize("kind", ["connect", "read", "write", "timeout", "status"])
def test_any_error_shows(kind: str) -> None:
    report = {**REPORT, "errors": {**REPORT["errors"], kind: 3}}
    assert parse_report(json.dumps(report)).faults == f"3 {kind} errors"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Requests/sec: 15000",
        "[]",
        json.dumps({key: value for key, value in REPORT.items() if key != "errors"}),
        json.dumps({**REPORT, "errors": {"connect": 0}}),
        json.dumps({**REPORT, "requests": None}),
        json.dumps({**REPORT, "requests": 0}),
        json.dumps({**REPORT, "microseconds": 0}),
    ],
)
def test_anything_else_is_no_measurement(text: str) -> None:
    with pytest.raises(Unmeasured):
        parse_report(text)
