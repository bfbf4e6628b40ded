"""Verdicts: a bound that is kept, one that is not, and a figure that is not there."""

import math
from typing import Any

import pytest

from benchmarks.serving.bench import Figures
from benchmarks.serving.calm import p99_ratio
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.report import MEASUREMENTS
from benchmarks.serving.rounds import BARE, NAIVE, NOT_MODIFIED, WARM, faults, tables
from benchmarks.serving.targets import TARGETS, Target, judge, table


def value(figures: Figures) -> float:
    return float(figures["value"])


def missing(figures: Figures) -> float:
    raise Unmeasured("a row failed")


def target(limit: float, *, at_least: bool = False) -> Target:
    return Target("a target", "requests", value, limit, at_least=at_least)


@pytest.mark.parametrize(
    ("figure", "at_least", "verdict"),
    [
        (3.0, False, "pass"),
        (3.01, False, "FAIL"),
        (2.9, False, "pass"),
        (3.0, True, "pass"),
        (2.99, True, "FAIL"),
        (3.1, True, "pass"),
        (math.nan, False, "FAIL"),
        (math.nan, True, "FAIL"),
    ],
)
def test_both_bounds_belong_to_what_is_asked(figure: float, at_least: bool, verdict: str) -> None:
    assert target(3.0, at_least=at_least).verdict({"value": figure})["verdict"] == verdict


def test_what_was_not_measured_neither_passes_nor_fails() -> None:
    assert target(3.0).verdict(None)["verdict"] == "not measured"
    told = Target("a target", "requests", missing, 3.0).verdict({})
    assert (told["verdict"], told["value"], told["why"]) == ("not measured", None, "a row failed")
    assert [row[3] for row in table([told]).rows] == ["not measured"]


def test_every_target_is_of_a_measurement_there_is() -> None:
    assert {one.measurement for one in TARGETS} == set(MEASUREMENTS)
    assert len({one.name for one in TARGETS}) == len(TARGETS)
    assert {one["verdict"] for one in judge({})} == {"not measured"}


def requests(**rates: list[float]) -> Figures:
    latency = {"p50": 1.0, "p99": 2.0}
    names = {"warm": WARM, "bare": BARE, "naive": NAIVE, "not_modified": NOT_MODIFIED}
    rows: dict[str, Any] = {
        names[key]: {
            "connections": 32,
            "rounds": [
                {"rate": rate, "latency_us": latency, "core_share": 1.0, "rate_of_core_time": rate}
                for rate in found
            ],
        }
        for key, found in rates.items()
    }
    return {"rows": rows, "left_out": {}, "notes": []}


def verdicts(figures: Figures) -> dict[str, str]:
    return {one["target"]: one["verdict"] for one in judge({"requests": figures}) if one["value"] is not None}


def test_requests_are_judged_by_their_ratios() -> None:
    good = requests(warm=[71, 35], bare=[100, 50], naive=[0.17, 0.08], not_modified=[72, 36])
    assert set(verdicts(good).values()) == {"pass"}
    bad = requests(warm=[69, 34], bare=[100, 50], naive=[0.2, 0.1], not_modified=[60, 30])
    assert set(verdicts(bad).values()) == {"FAIL"}


def test_a_ratio_that_neighbours_flatter_fails_by_core_time() -> None:
    figures = requests(warm=[70], bare=[100], naive=[0.1], not_modified=[70])
    figures["rows"][BARE]["rounds"][0]["rate_of_core_time"] = 200.0
    found = verdicts(figures)
    assert found["warm requests, x bare ASGI"] == "pass"
    assert found["warm requests, x bare ASGI, by core time"] == "FAIL"


def test_a_row_that_failed_once_is_failed_and_so_is_what_is_compared_with_it() -> None:
    figures = requests(warm=[70, 70], bare=[100, 100], naive=[0.1, 0.1], not_modified=[70, 70])
    figures["rows"][BARE]["rounds"][1]["fault"] = "3 read errors"
    assert faults(figures) == [f"{BARE}: 3 read errors"]
    assert "warm requests, x bare ASGI" not in verdicts(figures)
    assert verdicts(figures)["warm requests, x naive"] == "pass"
    rows = {row[0]: row for row in tables(figures)[0].rows}
    assert rows[BARE][1] == "FAILED"
    assert rows[WARM][2] == "?"


def test_tables_are_told_even_where_our_own_row_failed() -> None:
    figures = requests(warm=[70], bare=[100], naive=[0.1], not_modified=[70])
    figures["rows"][WARM]["rounds"][0] = {"fault": "answered with 503 and not 200"}
    (shown,) = tables(figures)
    assert "FAILED" in shown.text()
    assert "answered with 503" in shown.markdown()
    assert verdicts(figures) == {}


def pairs(*found: tuple[float, float, float, float]) -> Figures:
    """Pairs of slices: p99 of the quiet and the busy one, boards recomputed in it, and what others took."""
    return {
        "slices": [
            {
                "quiet": {"latency_us": {"p99": quiet}},
                "busy": {"latency_us": {"p99": busy}, "boards": boards},
                "others": others,
            }
            for quiet, busy, boards, others in found
        ]
    }


def test_calm_counts_no_slice_in_which_neighbours_were_at_work() -> None:
    assert p99_ratio(pairs((2, 4, 3, 0.0), (2, 8, 3, 0.05), (300, 100, 3, 0.4))) == 3.0
    with pytest.raises(Unmeasured, match="neighbours left 1 of 2"):
        p99_ratio(pairs((2, 4, 3, 0.0), (300, 100, 3, 0.4)))


def test_calm_is_not_measured_where_the_server_had_nothing_to_recompute() -> None:
    with pytest.raises(Unmeasured, match="not one board"):
        p99_ratio(pairs((2, 4, 3, 0.0), (2, 2, 0, 0.0)))


def test_a_flood_is_judged_by_what_it_added() -> None:
    states = {
        "before": {"resident_mb": 200.0, "series": 70, "store_requests": 31},
        "after": {"resident_mb": 205.0, "series": 71, "store_requests": 31},
    }
    found = {one["target"]: one["verdict"] for one in judge({"flood": {"states": states}})}
    assert found["flood, more memory"] == "pass"
    assert found["flood, more metric series"] == "FAIL"
    assert found["flood, requests to the store"] == "pass"


def test_growth_is_cost_an_asset_at_5000_over_that_at_1000_round_by_round() -> None:
    figures = {
        "microseconds": {"1000": {"board": 200_000.0}},
        "board_rounds": {"1000": [200_000, 400_000, 200_000], "5000": [1_200_000, 2_400_000, 1_300_000]},
    }
    found = {one["target"]: one for one in judge({"board": figures})}
    assert found["board, cost an asset at 5,000 over 1,000"]["value"] == 1.2
    assert found["board of 1,000"]["value"] == 0.2
