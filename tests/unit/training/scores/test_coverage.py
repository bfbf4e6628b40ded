import numpy as np
import pytest

from cripto.domain.ranges import LEVELS
from cripto.training.scores.coverage import coverage
from tests.unit.training.scores.toys import days, scored

SEED = 7


def test_coverage_counts_what_lay_inside_in_each_group() -> None:
    random = np.random.default_rng(0)
    time = days(500, 4)
    actual, predicted = random.normal(0, 0.03, 2000), random.normal(0, 0.001, 2000)
    width = random.uniform(0.01, 0.06, 2000)
    widths = np.vstack([width, width * 2])
    widths[:, :10] = np.nan
    loud = np.arange(2000) % 4 - 1
    rows = scored(actual, {"regressor_lin": predicted}, time, loud=loud, half_widths={"regressor_lin": widths})
    found = coverage(rows, "regressor_lin", SEED)
    assert found is not None
    assert all((level["rows"], level["without_range"]) == (1990, 10) for level in found)
    year = time.astype("datetime64[Y]").astype(int) + 1970
    for place, level in enumerate(found):
        assert level["level"] == LEVELS[place]
        inside = [abs(actual[row] - predicted[row]) <= widths[place, row] for row in range(2000) if row >= 10]
        assert level["covered"] == pytest.approx(np.mean(inside))
        assert level["above"] + level["below"] == pytest.approx(1 - level["covered"])
        for label, group in (("2024", year == 2024), ("2025", year == 2025)):
            chosen = [held for held, one in zip(inside, group[10:], strict=True) if one]
            assert level["years"][label]["covered"] == pytest.approx(np.mean(chosen))
        for number, label in enumerate(("calm", "middling", "loud")):
            chosen = [held for held, one in zip(inside, loud[10:] == number, strict=True) if one]
            assert level["loudness"][label]["covered"] == pytest.approx(np.mean(chosen))
        assert sum(part["rows"] for part in level["parts"].values()) == 1990
        low, high = level["interval"]
        assert low < level["covered"] < high


def test_a_model_without_ranges_has_no_coverage() -> None:
    rows = scored([0.1] * 50, {"regressor_lin": [0.0] * 50})
    assert coverage(rows, "regressor_lin", SEED) is None
    nothing = {"regressor_lin": np.full((2, 50), np.nan)}
    assert (
        coverage(scored([0.1] * 50, {"regressor_lin": [0.0] * 50}, half_widths=nothing), "regressor_lin", SEED)
        is None
    )


def test_few_days_are_marked_and_have_no_interval() -> None:
    widths = {"regressor_lin": np.vstack([np.full(20, 0.1), np.full(20, 0.2)])}
    rows = scored([0.15] * 20, {"regressor_lin": [0.0] * 20}, half_widths=widths)
    found = coverage(rows, "regressor_lin", SEED)
    assert found is not None
    narrow, wide = found
    assert (narrow["covered"], wide["covered"]) == (0.0, 1.0)
    assert narrow["few"]
    assert narrow["interval"] is None
    assert narrow["above"] == 1.0


def test_an_interval_of_days_that_move_together_is_wider() -> None:
    random = np.random.default_rng(1)
    alone = random.normal(size=4000)
    together = np.repeat(random.normal(size=400), 10)

    def width(actual: np.ndarray) -> float:
        widths = {"regressor_lin": np.vstack([np.full(4000, 1.28), np.full(4000, 1.96)])}
        found = coverage(
            scored(actual, {"regressor_lin": np.zeros(4000)}, days(400, 10), half_widths=widths),
            "regressor_lin",
            1,
        )
        assert found is not None
        low, high = found[0]["interval"]
        return float(high - low)

    assert width(together) > 2 * width(alone)
