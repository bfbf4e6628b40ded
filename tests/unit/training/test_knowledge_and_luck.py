"""Whether the evaluation tells knowledge from luck: real recipes, walking forward, with and without a secret."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from cripto.training.engine import LocalEngine
from cripto.training.estimators import RECIPES, Recipe
from cripto.training.leaks import refuse_miracles
from cripto.training.scores import evaluate, rows_of_folds
from cripto.training.verdict import NO_SKILL, SKILL
from cripto.training.walk_forward import out_of_fold, walk_forward
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.toys import dataset_of, momentum

SYMBOLS = ["ADA", "BTC", "ETH", "LTC"]
LINEAR = {name: RECIPES[name] for name in ("regressor_lin", "classifier_log")}


def scores_of(candles: pl.DataFrame, recipes: Mapping[str, Recipe], seed: int = 1) -> Mapping[str, Any]:
    dataset = dataset_of(candles)
    folds = walk_forward(dataset.time, DAILY)
    said = out_of_fold(recipes, dataset, folds, seed, LocalEngine(2), lambda done, of: None)
    return evaluate(rows_of_folds(dataset, said, DAILY), seed).models


def verdicts(models: Mapping[str, Any]) -> dict[str, str]:
    return {name: scores["verdict"] for name, scores in models.items()}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_walk_is_no_skill(seed: int) -> None:
    assert verdicts(scores_of(random_walk(SYMBOLS, 700, seed=seed), LINEAR)) == dict.fromkeys(LINEAR, NO_SKILL)


def test_planted_momentum_is_skill_and_no_more_than_the_secret_holds() -> None:
    models = scores_of(momentum(SYMBOLS, 800, carried=0.3), LINEAR)
    assert verdicts(models) == dict.fromkeys(LINEAR, SKILL)
    assert models["regressor_lin"]["skill"] < 0.09, "0.3 of a return carried on explains 0.09 of the variance"
    refuse_miracles(models)


@pytest.mark.slow
def test_planted_momentum_is_skill_for_every_model() -> None:
    models = scores_of(momentum(SYMBOLS, 900, carried=0.3), RECIPES)
    assert verdicts(models) == dict.fromkeys(RECIPES, SKILL)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_real_recipes_on_noise_are_hardly_ever_more_than_no_skill() -> None:
    """Forty random walks, five models each: two verdicts of evidence among two hundred are as much as may be."""
    words = [
        word
        for seed in range(40)
        for word in verdicts(scores_of(random_walk(SYMBOLS[:3], 420, seed=seed), RECIPES)).values()
    ]
    assert len(words) == 200
    assert sum(word != NO_SKILL for word in words) <= 2
