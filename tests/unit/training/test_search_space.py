import pickle
from dataclasses import replace

import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import InvalidInput
from cripto.features import default_spec
from cripto.training.estimators import MOST_LEAVES, RECIPES, Boosting, Forest, Recipe, RidgeRegression
from cripto.training.row_weights import RowWeights
from cripto.training.search_space import SPACES, SearchPlan, Space, candidates, learned_from
from tests.unit.training.toys import QUICK

NAMES = default_spec().names
MANY = SearchPlan(200)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_candidates_differ_from_the_present_recipe_and_from_each_other(name: str) -> None:
    drawn = candidates(name, SPACES[name], RECIPES[name], MANY, NAMES, 1)
    assert len({recipe for _, recipe in drawn} | {RECIPES[name]}) == len(drawn) + 1 > 100
    values = SPACES[name].to_json()
    for settings, _ in drawn:
        assert settings.keys() == values.keys()
        assert all(value in values[setting] for setting, value in settings.items())


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_seed_draws_the_same_and_a_larger_budget_more_of_it(name: str) -> None:
    drawn = candidates(name, SPACES[name], RECIPES[name], SearchPlan(20), NAMES, 1)
    assert drawn == candidates(name, SPACES[name], RECIPES[name], SearchPlan(20), NAMES, 1)
    assert drawn[:7] == candidates(name, SPACES[name], RECIPES[name], SearchPlan(7), NAMES, 1)
    assert drawn != candidates(name, SPACES[name], RECIPES[name], SearchPlan(20), NAMES, 2)


def test_every_value_is_within_reach() -> None:
    drawn = [
        settings
        for settings, _ in candidates(
            "regressor_rf", SPACES["regressor_rf"], RECIPES["regressor_rf"], MANY, NAMES, 3
        )
    ]
    for setting, values in SPACES["regressor_rf"].to_json().items():
        assert {settings[setting] for settings in drawn} == set(values)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_committed_recipe_lies_in_its_space(name: str) -> None:
    space = SPACES[name]
    present = space.present(RECIPES[name])
    assert present.keys() == space.to_json().keys()
    assert all(value in space.to_json()[setting] for setting, value in present.items())
    assert space.recipe(present, RECIPES[name], NAMES) == RECIPES[name]


@pytest.mark.parametrize("name", ["regressor_rf", "classifier_rf", "regressor_gbr"])
def test_no_candidate_has_more_leaves_than_can_be_served(name: str) -> None:
    for _, recipe in candidates(name, SPACES[name], RECIPES[name], MANY, NAMES, 5):
        for rows in (100, 299, 5_000, 1_000_000):
            params = recipe.build(rows, 0).get_params()
            seen = params.get("max_samples") or int(params["subsample"] * rows)
            leaves = min(2 ** params["max_depth"], seen // params["min_samples_leaf"])
            assert params["n_estimators"] * leaves <= MOST_LEAVES


def test_what_is_too_large_to_serve_cannot_even_be_named() -> None:
    with pytest.raises(InvalidInput, match=f"200 trees of 256 leaves .* at most {MOST_LEAVES}"):
        Forest("regressor", trees=200, depth=8, leaf=50, rows_a_tree=20_000)
    with pytest.raises(InvalidInput, match="too many to serve"):
        Boosting(steps=1_000, depth=6)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_recipes_travel_to_other_processes(name: str) -> None:
    for recipe in [
        RECIPES[name],
        *(one for _, one in candidates(name, SPACES[name], RECIPES[name], MANY, NAMES, 1)),
    ]:
        assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_a_candidate_keeps_the_bounds_of_the_recipe_it_may_replace() -> None:
    present = replace(RECIPES["regressor_lin"], max_rows=77, cost=9)
    for _, recipe in candidates("regressor_lin", SPACES["regressor_lin"], present, SearchPlan(5), NAMES, 1):
        assert (recipe.max_rows, recipe.cost) == (77, 9)


def test_a_space_that_is_used_up_gives_what_it_has() -> None:
    space = Space(RidgeRegression, {"penalty": (1.0, 3.0, 10.0)}, {"volatility_power": (0.0, 1.0)})
    drawn = candidates("regressor_lin", space, Recipe(RidgeRegression(3.0)), SearchPlan(50), NAMES, 1)
    assert sorted((settings["penalty"], settings["volatility_power"]) for settings, _ in drawn) == [
        (1.0, 0.0),
        (1.0, 1.0),
        (3.0, 1.0),
        (10.0, 0.0),
        (10.0, 1.0),
    ]


def test_a_recipe_of_somebody_elses_making_is_told_as_far_as_it_goes() -> None:
    weighed = replace(QUICK["regressor_rf"], weights=RowWeights(365), features=("return_1",))
    assert SPACES["regressor_rf"].present(weighed) == {
        "half_life_days": 365,
        "volatility_power": 0.0,
        "features": ["return_1"],
    }
    assert len(candidates("regressor_rf", SPACES["regressor_rf"], weighed, SearchPlan(3), NAMES, 1)) == 3


def test_sets_of_features_leave_out_what_they_say() -> None:
    assert learned_from("all", NAMES) is None
    for label in SPACES["regressor_lin"].to_json()["features"][1:]:
        kept = learned_from(label, NAMES)
        assert kept is not None
        assert 0 < len(kept) < len(NAMES)
        assert [name for name in NAMES if name in kept] == list(kept), "in their order"
    halves = {learned_from(f"random half {number}", NAMES) for number in range(1, 5)}
    assert len(halves) == 4
    assert set(NAMES) - set(learned_from("without calendar", NAMES) or ()) == {
        "weekday_sin",
        "weekday_cos",
        "hour_sin",
        "hour_cos",
    }
    with pytest.raises(InvalidInput, match="'the best'"):
        learned_from("the best", NAMES)


@pytest.mark.parametrize("count", [0, -1, 501])
def test_a_budget_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match=f"1 to 500 candidates for each model, not {count}"):
        SearchPlan(count)


@pytest.mark.parametrize("spaces", [{}, {"regressor_oracle": SPACES["regressor_lin"]}])
def test_spaces_are_of_the_five_models(spaces: dict[str, Space]) -> None:
    with pytest.raises(InvalidInput, match="spaces for some of"):
        SearchPlan(1, spaces)
