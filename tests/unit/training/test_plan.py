import pytest

from cripto.errors import InvalidInput
from cripto.training.plan import TrainingPlan
from tests.unit.training.toys import QUICK


def test_plan_has_defaults_for_everything() -> None:
    plan = TrainingPlan()
    assert plan.interval == "1d"
    assert plan.jobs >= 1
    assert not plan.promote


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_no_estimator_takes_is_refused(seed: int) -> None:
    with pytest.raises(InvalidInput, match=f"not {seed}"):
        TrainingPlan(seed=seed)


def test_no_jobs_at_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one at a time"):
        TrainingPlan(jobs=0)


def test_missing_recipe_is_refused() -> None:
    with pytest.raises(InvalidInput, match="exactly the recipes"):
        TrainingPlan(recipes={name: recipe for name, recipe in QUICK.items() if name != "regressor_lin"})
