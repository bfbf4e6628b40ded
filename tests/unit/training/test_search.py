"""A search at toy size: what it finds, what it does not take for a find, and what it never looks at."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.errors import TrainingRefused
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import SEARCH_FILE, TrainingPlan, TrainingResult, train
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import RECIPES, Logistic, Recipe, RidgeRegression
from cripto.training.search import digest_of, rows_before, search
from cripto.training.search_space import SearchPlan, Space
from cripto.training.walk_forward import walk_forward
from tests.doubles.candles import DAILY, HOURLY, random_walk
from tests.unit.training.toys import NOW, QUICK, dataset_of, lake_of, momentum, no_conversion

COINS = ("ADA", "BTC", "ETH")
PENALTIES = {"penalty": (0.01, 0.1, 1.0, 1e6)}
SIMPLE = {"regressor_lin": Space(RidgeRegression, PENALTIES), "classifier_log": Space(Logistic, PENALTIES)}
SHY: Mapping[str, Recipe] = {
    "regressor_lin": Recipe(RidgeRegression(1e6)),
    "classifier_log": Recipe(Logistic(1e6)),
}


@pytest.fixture(scope="module")
def secret() -> Dataset:
    return dataset_of(momentum(COINS, 300))


@pytest.fixture(scope="module")
def noise() -> Dataset:
    return dataset_of(random_walk(COINS, 300))


def tell_nobody(done: int, total: int) -> None:
    """Nobody listens."""


def quickly(
    dataset: Dataset,
    recipes: Mapping[str, Recipe] = SHY,
    count: int = 4,
    seed: int = 1,
    report: Callable[[int, int], None] = tell_nobody,
    jobs: int = 1,
    spaces: Mapping[str, Space] = SIMPLE,
    folds: int = 2,
) -> Any:
    return search(SearchPlan(count, spaces, folds), recipes, dataset, DAILY, seed, LocalEngine(jobs), report)


def test_a_recipe_that_is_surely_better_is_found(secret: Dataset) -> None:
    found = quickly(secret)
    for name, model in found.models.items():
        assert model["verdict"] == "surely better"
        assert model["winner"]["interval_for_all_tried"][0] > 0
        assert model["winner"]["improvement"] == max(row["improvement"] for row in model["candidates"])
        assert found.recipes[name] != SHY[name]
        assert found.recipes[name].build.penalty == model["winner"]["settings"]["penalty"] < 1e6
        assert model["winner"]["skill"] > model["present"]["skill"] + 0.02


def test_among_noise_nothing_takes_a_recipes_place(noise: Dataset) -> None:
    found = quickly(noise, count=5)
    for model in found.models.values():
        assert (model["verdict"], model["winner"]) == ("none surely better", None)
        assert model["best"]["improvement"] == max(row["improvement"] for row in model["candidates"])
    assert found.recipes == SHY


def test_intervals_are_as_wide_as_the_number_of_tries_asks(noise: Dataset) -> None:
    found = quickly(noise, count=3).to_json()
    tried = [row for model in found["models"].values() for row in model["candidates"]]
    assert found["budget"]["tried"] == len(tried) == 6
    assert found["rule"]["level_for_all_tried"] == pytest.approx(1 - 0.05 / 6)
    for row in tried:
        (low, high), (strict_low, strict_high) = row["interval"], row["interval_for_all_tried"]
        assert strict_low < low <= high < strict_high
        assert row["surely_better"] == (strict_low > 0)


def test_a_candidate_that_answers_as_the_present_recipe_is_no_find(noise: Dataset) -> None:
    twin = {"regressor_lin": Space(RidgeRegression, {"penalty": (1e6, 1e6 * (1 + 1e-12))}, {})}
    model = quickly(noise, spaces=twin).models["regressor_lin"]
    assert len(model["candidates"]) == 1
    assert model["candidates"][0]["improvement"] == pytest.approx(0, abs=1e-12)
    assert model["winner"] is None


def test_no_more_is_fitted_than_the_budget_says(noise: Dataset) -> None:
    heard: list[tuple[int, int]] = []
    found = quickly(noise, count=1, folds=5, report=lambda done, total: heard.append((done, total)))
    # the present recipe and one candidate; three folds more calibrate a classifier's first one
    fits = 2 * 5 + 2 * (5 + 3)
    assert found.described["budget"] == {"candidates_a_model": 1, "tried": 2, "fits": fits}
    assert heard == [(done, fits) for done in range(fits + 1)]


def test_equal_seeds_find_equal_things_on_any_number_of_threads(noise: Dataset) -> None:
    first, again = quickly(noise, count=2), quickly(noise, count=2, jobs=2)
    assert first.to_bytes() == again.to_bytes()
    assert quickly(noise, count=1, seed=2).models != first.models


def test_result_names_spaces_budget_seed_and_data(noise: Dataset) -> None:
    told = json.loads(quickly(noise, count=1).to_bytes())
    assert told["format"] == 1
    assert told["seed"] == 1
    assert told["data"]["rows"] == len(noise)
    assert told["data"]["sha256"] == digest_of(noise)
    assert told["models"]["regressor_lin"]["space"]["penalty"] == list(PENALTIES["penalty"])
    assert told["models"]["regressor_lin"]["present"]["settings"]["penalty"] == 1e6
    assert [fold["number"] for fold in told["walk_forward"]["folds"]] == [1, 2]
    assert len(told["models"]["classifier_log"]["candidates"][0]["by_fold"]) == 2


def test_digest_tells_any_change_of_the_data(noise: Dataset) -> None:
    cut = rows_before(noise, 500)
    others = [
        noise,
        rows_before(noise, 501),
        replace(cut, names=(*cut.names[1:], "another")),
        replace(cut, features=cut.features + 1e-9),
        replace(cut, log_return=-cut.log_return),
        replace(cut, time=cut.time + np.timedelta64(1, "us")),
        replace(cut, symbol=cut.symbol.reverse()),
    ]
    assert len({digest_of(cut), *map(digest_of, others)}) == 8
    assert digest_of(cut) == digest_of(rows_before(noise, 500))


def test_a_model_that_says_no_number_never_wins(noise: Dataset) -> None:
    lost = {"regressor_lin": Space(Lost, {"penalty": (1.0,)}, {})}
    model = quickly(noise, spaces=lost).models["regressor_lin"]
    assert model["candidates"][0]["improvement"] is None
    assert (model["winner"], model["best"]) == (None, None)
    json.dumps(model, allow_nan=False)


def test_too_little_is_refused_with_the_numbers(noise: Dataset) -> None:
    with pytest.raises(TrainingRefused, match=r"window holds too little to search in: 150 rows .* at least 200"):
        quickly(rows_before(noise, 150))


def test_days_too_few_for_an_interval_are_refused(noise: Dataset) -> None:
    hourly = replace(noise, time=noise.time[0] + (noise.time - noise.time[0]) // 24)
    plan = SearchPlan(1, SIMPLE, folds=2)
    with pytest.raises(TrainingRefused, match=r"compared on \d days; at least 30"):
        search(plan, SHY, hourly, HOURLY, 1, LocalEngine(1), tell_nobody)


@dataclass(frozen=True)
class Lost:
    """Says that nothing is a number."""

    penalty: float

    def __call__(self, rows: int, seed: int) -> "Lost":
        return self

    def fit(self, rows: pl.DataFrame, target: Any) -> None:
        """Learns nothing."""

    def predict(self, rows: pl.DataFrame) -> Any:
        return np.full(len(rows), np.nan)


@dataclass(frozen=True)
class Spy:
    """Keeps each row that it is fitted on or asked about."""

    penalty: float
    seen: list[Any] = field(default_factory=list, hash=False, compare=False)

    def __call__(self, rows: int, seed: int) -> "Spy":
        return self

    def fit(self, rows: pl.DataFrame, target: Any) -> None:
        self.seen.append(rows.to_numpy())

    def predict(self, rows: pl.DataFrame) -> Any:
        self.seen.append(rows.to_numpy())
        return np.ones(len(rows))


MANY_COINS = [f"C{place}" for place in range(8)]


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    return random_walk(MANY_COINS, 230)


def trained(candles: pl.DataFrame, store: MemoryStore, spaces: Mapping[str, Space], **more: Any) -> TrainingResult:
    recipes = {**QUICK, **more.pop("recipes", {})}
    plan = TrainingPlan(recipes=recipes, folds=2, seed=1, search=SearchPlan(2, spaces, folds=2))
    registry = ReleaseRegistry(store)
    return train(
        lake_of(candles), registry, plan, FixedClock(NOW), convert=no_conversion, draw=lambda _: b"", **more
    )


def test_rows_that_a_release_is_scored_on_never_reach_a_fit(candles: pl.DataFrame) -> None:
    seen: list[Any] = []
    spied = {"regressor_lin": Space(partial(Spy, seen=seen), {"penalty": (1.0, 2.0)}, {})}
    trained(candles, MemoryStore(), spied)
    dataset = dataset_of(candles)
    outer = walk_forward(dataset.time, DAILY, folds=2)
    looked_at = {row.tobytes() for rows in seen for row in rows}
    assert looked_at == {row.tobytes() for row in dataset.features[outer[0].train]}
    assert not looked_at & {row.tobytes() for row in dataset.features[outer[0].train.stop :]}


def test_a_release_is_trained_with_what_won_and_says_so(candles: pl.DataFrame) -> None:
    store = MemoryStore()
    bold = {"regressor_lin": Recipe(RidgeRegression(1e-9))}
    calm = {"regressor_lin": Space(RidgeRegression, {"penalty": (1e6,)}, {})}
    result = trained(candles, store, calm, recipes=bold)
    told = result.manifest.training["search"]
    assert told["models"]["regressor_lin"]["winner"]["settings"] == {"penalty": 1e6}
    assert told["models"]["regressor_lin"]["tried"] == 1
    against_drift = result.metrics["regressor_lin"]["baselines"]["drift"]["skill"]
    assert abs(against_drift) < 1e-4, "so calm that it says the mean, where the bold one would lose"
    (entry,) = [entry for entry in result.manifest.files if entry.path.endswith(f"/{SEARCH_FILE}")]
    whole = json.loads(ReleaseRegistry(store).read(result.manifest, entry))
    assert whole["models"]["regressor_lin"]["candidates"][0]["surely_better"]
    assert whole["data"]["last"] < result.manifest.training["walk_forward"]["folds"][0]["test"]["first"]


def test_without_a_search_the_committed_recipes_are_trained() -> None:
    assert TrainingPlan().search is None
    assert TrainingPlan().recipes is RECIPES


def test_a_search_that_is_interrupted_leaves_nothing(candles: pl.DataFrame) -> None:
    stages: list[str] = []

    def interrupt(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if (stage, done) == ("search", 3):
            raise KeyboardInterrupt

    store = MemoryStore()
    with pytest.raises(KeyboardInterrupt):
        trained(candles, store, SIMPLE, report=interrupt)
    assert stages[-1] == "search"
    assert list(store.list("")) == []
