"""Whether the evaluation tells knowledge from luck: the real recipes on candles with and without a secret."""

import numpy as np
import pytest

from cripto.training.estimators import RECIPES
from cripto.training.evaluation import NO_SKILL, SOME_EVIDENCE
from cripto.training.fitting import fit_all
from cripto.training.scoring import score
from cripto.training.splits import hold_out
from cripto.training.targets import rises
from tests.doubles.candles import DAILY, random_walk
from tests.unit.training.toys import QUICK, dataset_of, momentum

SYMBOLS = ["ADA", "BTC", "ETH", "LTC"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_walk_is_no_skill_for_any_model(seed: int) -> None:
    dataset = dataset_of(random_walk(SYMBOLS, 700, seed=seed))
    cut = hold_out(dataset.time, DAILY)
    scores = score(fit_all(RECIPES, dataset, cut.train, 1, 2, lambda done: None).values(), dataset, cut)
    assert {name: metrics["verdict"] for name, metrics in scores.items()} == dict.fromkeys(RECIPES, NO_SKILL)


def test_planted_momentum_is_found_by_every_model() -> None:
    dataset = dataset_of(momentum(SYMBOLS, 700))
    cut = hold_out(dataset.time, DAILY)
    scores = score(fit_all(RECIPES, dataset, cut.train, 1, 2, lambda done: None).values(), dataset, cut)
    assert {name: metrics["verdict"] for name, metrics in scores.items()} == dict.fromkeys(RECIPES, SOME_EVIDENCE)
    assert all(metrics["skill"] < 0.6 for metrics in scores.values()), "more than the secret holds is a leak"


def test_base_rate_is_that_of_the_training_rows() -> None:
    dataset = dataset_of(random_walk(SYMBOLS, 300))
    cut = hold_out(dataset.time, DAILY)
    scores = score(fit_all(QUICK, dataset, cut.train, 1, 1, lambda done: None).values(), dataset, cut)
    expected = np.mean(rises(dataset.log_return[: cut.train_rows]))
    assert scores["classifier_log"]["baseline"]["probability"] == pytest.approx(expected)
    assert all(metrics["rows"] == cut.test_rows for metrics in scores.values())
