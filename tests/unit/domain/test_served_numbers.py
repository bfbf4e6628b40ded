"""Calibration, ranges and novelty as data: there and back through JSON, and hostile ones refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cripto.domain.calibration import Calibration
from cripto.domain.novelty import FARTHEST, Novelty
from cripto.domain.ranges import Ranges, ScaleTerm
from cripto.errors import InvalidInput

CALIBRATION = Calibration(0.01, 0.7)
RANGES = Ranges(-0.6, (ScaleTerm("volatility_20", 0.9, True), ScaleTerm("weekday_sin", -0.1, False)), (1.5, 2.8))
NOVELTY = Novelty(("return_1", "range"), (0.0, 0.05), (0.03, 0.02), ((0.2, 0.0), (0.6, 0.5), (4.0, 1.0)))

weights = st.floats(-100, 100)
names = st.text(min_size=1, max_size=20)
rising = st.lists(st.floats(0, FARTHEST), min_size=2, max_size=20, unique=True).map(sorted)


@st.composite
def ranges(draw: st.DrawFn) -> Ranges:
    terms = draw(st.dictionaries(names, st.tuples(weights, st.booleans()), max_size=5))
    narrow, wide = sorted(draw(st.tuples(st.floats(1e-6, 100), st.floats(1e-6, 100))))
    return Ranges(draw(weights), tuple(ScaleTerm(name, *term) for name, term in terms.items()), (narrow, wide))


@st.composite
def novelties(draw: st.DrawFn) -> Novelty:
    features = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    each = [draw(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))) for _ in features]
    distances = draw(rising)
    knots = tuple((distance, (place + 1) / len(distances)) for place, distance in enumerate(distances))
    return Novelty(tuple(features), tuple(c for c, _ in each), tuple(s for _, s in each), knots)


@given(st.builds(Calibration, st.floats(-20, 20), st.floats(0, 20)))
def test_a_calibration_survives_json(value: Calibration) -> None:
    assert Calibration.from_json(json.loads(json.dumps(value.to_json()))) == value


@settings(max_examples=40)
@given(ranges())
def test_ranges_survive_json(value: Ranges) -> None:
    assert Ranges.from_json(json.loads(json.dumps(value.to_json()))) == value


@settings(max_examples=40)
@given(novelties())
def test_novelty_survives_json(value: Novelty) -> None:
    assert Novelty.from_json(json.loads(json.dumps(value.to_json()))) == value


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


NO_NAMES: list[Any] = [None, 1, "", "x" * 101, [], {}]
NO_FLAGS: list[Any] = [None, 1, "true"]
NO_TERMS: list[Any] = [None, 3, {}, "ab", [None], [[]]]
NO_LEVELS: list[Any] = [None, [], {}, [{"level": 0.8, "quantile": 1}]]
NO_FEATURES: list[Any] = [None, [], {}, "ab"]
NO_KNOTS: list[Any] = [None, [], [[0, 1]], [[0, 0], [1]], [[0, 0], 1], [["0", 0], [1, 1]]]
NO_OWN_NAMES: list[Any] = [None, 1, [], "range"]
NOT_NUMBERS: list[Any] = [None, True, "1", [], {}, float("nan"), float("inf"), -float("inf"), 10**400]


@pytest.mark.parametrize("bad", [*NOT_NUMBERS, 21, -21])
def test_a_calibration_with_a_bad_number_is_refused(bad: Any) -> None:
    for name in ("shift", "slope"):
        with pytest.raises(InvalidInput):
            Calibration.from_json(CALIBRATION.to_json() | {name: bad})


@pytest.mark.parametrize("value", [None, 1, [], {}, {"method": "isotonic", "shift": 0, "slope": 1}, {"shift": 0}])
def test_what_is_no_calibration_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInput):
        Calibration.from_json(value)


def test_a_calibration_that_turns_forecasts_round_is_refused() -> None:
    with pytest.raises(InvalidInput, match="slope"):
        Calibration(0.0, -0.1)


@pytest.mark.parametrize(
    "change",
    [
        *(_set("scale", "intercept", to=bad) for bad in (*NOT_NUMBERS, 101)),
        *(_set("scale", "terms", 0, "weight", to=bad) for bad in (*NOT_NUMBERS, -101)),
        *(_set("levels", 0, "quantile", to=bad) for bad in (*NOT_NUMBERS, 0, -1, 101)),
        *(_set("scale", "terms", 0, "feature", to=bad) for bad in NO_NAMES),
        *(_set("scale", "terms", 0, "log", to=bad) for bad in NO_FLAGS),
        *(_set("scale", "terms", to=bad) for bad in NO_TERMS),
        *(_set("levels", to=bad) for bad in NO_LEVELS),
        _set("levels", 0, "level", to=0.5),
        _set("levels", 1, "quantile", to=1.0),
        _set("scale", "terms", 1, "feature", to="volatility_20"),
        _set("scale", to=None),
    ],
)
def test_hostile_ranges_are_refused(change: Callable[[Any], None]) -> None:
    value = RANGES.to_json()
    change(value)
    with pytest.raises(InvalidInput):
        Ranges.from_json(value)


def test_a_scale_of_too_many_terms_is_refused() -> None:
    value = RANGES.to_json()
    value["scale"]["terms"] = [{"feature": f"f{n}", "weight": 0.0, "log": False} for n in range(65)]
    with pytest.raises(InvalidInput, match="64"):
        Ranges.from_json(value)


@pytest.mark.parametrize(
    "change",
    [
        *(_set("features", 0, "center", to=bad) for bad in (*NOT_NUMBERS, 1e10)),
        *(_set("features", 0, "spread", to=bad) for bad in (*NOT_NUMBERS, 0, -1)),
        *(_set("features", 0, "name", to=bad) for bad in NO_OWN_NAMES),
        *(_set("features", to=bad) for bad in NO_FEATURES),
        *(_set("knots", to=bad) for bad in NO_KNOTS),
        _set("knots", 1, 0, to=0.2),
        _set("knots", 1, 1, to=0.0),
        _set("knots", 2, 1, to=0.9),
        _set("knots", 2, 0, to=FARTHEST + 1),
        _set("knots", 0, 1, to=float("nan")),
        _set("knots", to=[[place / 100, place / 300] for place in range(301)]),
    ],
)
def test_hostile_novelty_is_refused(change: Callable[[Any], None]) -> None:
    value = NOVELTY.to_json()
    change(value)
    with pytest.raises(InvalidInput):
        Novelty.from_json(value)
