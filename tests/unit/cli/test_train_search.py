import json

import pytest
from rich.console import Console

from cripto.cli.train import search_table
from cripto.market.lake import open_lake
from cripto.storage import open_store
from cripto.training.engine import LocalEngine
from cripto.training.estimators import Recipe, RidgeRegression
from cripto.training.search import search
from cripto.training.search_space import SearchPlan, Space
from tests.doubles.candles import DAILY, random_walk
from tests.unit.cli.conftest import Command
from tests.unit.training.toys import dataset_of


def test_too_few_candles_to_search_in_are_refused_and_nothing_is_published(cripto: Command, store: str) -> None:
    open_lake(store).upsert(random_walk(["BTC", "ETH"], 230))
    result = cripto("train", "--folds", "2", "--search", "3")
    assert result.code == 3
    assert "the training window holds too little to search in" in result.err
    assert [info.key for info in open_store(store).list("models/")] == []


@pytest.mark.parametrize("budget", ["0", "501", "many"])
def test_a_budget_that_is_none_is_a_mistake_of_the_caller(cripto: Command, store: str, budget: str) -> None:
    result = cripto("train", "--search", budget)
    assert result.code == 2
    assert "--search" in result.err


def test_table_tells_what_was_tried_and_whether_it_is_surely_better() -> None:
    dataset = dataset_of(random_walk(["BTC", "ETH", "ADA"], 230))
    space = Space(RidgeRegression, {"penalty": (1e-9, 1e6)}, {})
    told = {}
    for penalty in (1e-9, 1e6):
        found = search(
            SearchPlan(3, {"regressor_lin": space}, folds=2),
            {"regressor_lin": Recipe(RidgeRegression(penalty))},
            dataset,
            DAILY,
            1,
            LocalEngine(1),
            lambda done, total: None,
        )
        console = Console(width=250)
        with console.capture() as capture:
            console.print(search_table(found.summary()))
        told[penalty] = capture.get().splitlines()
    assert told[1e-9][0].startswith("search: 1 candidates before 2024-")
    assert "95.00 % interval" in told[1e-9][1]
    assert "surely better" in told[1e-9][2]
    assert "penalty 1000000.0" in told[1e-9][2]
    assert "none surely better" in told[1e6][2]
    assert "-0." in told[1e6][2], "the best that was tried, worse as it is"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_training_searches_first_and_says_what_it_found(cripto: Command, store: str) -> None:
    open_lake(store).upsert(random_walk([f"C{place}" for place in range(8)], 300))
    result = cripto("train", "--folds", "2", "--search", "1", "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["training"]["search"]["budget"]["tried"] == 5
    assert (
        told["training"]["search"]["data"]["last"] < told["training"]["walk_forward"]["folds"][0]["test"]["first"]
    )
    assert told["release"] in " ".join(info.key for info in open_store(store).list("models/releases/"))
    shown = cripto("models", "verify", told["release"])
    assert shown.code == 0, shown.err
