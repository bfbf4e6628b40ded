import json
import warnings
from collections.abc import Iterable
from typing import Any

import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.market.lake import CandleLake
from cripto.storage import MemoryStore
from cripto.training import STAGES, TrainingResult
from tests.doubles.candles import random_walk
from tests.unit.training.toys import NOW, QUICK, lake_of, names, quickly

RELEASE_FILES = ("evaluation.html", "evaluation.json", "manifest.json", "model-card.md", "probes.json")


@pytest.fixture(scope="module")
def lake() -> CandleLake:
    return lake_of(random_walk(["ADA", "BTC"], 220))


def test_release_is_named_after_the_clock_and_holds_every_file(lake: CandleLake) -> None:
    store = MemoryStore()
    result = quickly(lake, store)
    assert str(result.manifest.release) == "20260102-0304"
    assert result.manifest.created == NOW
    folder = "models/releases/20260102-0304/"
    assert names(store) == sorted(
        [
            "models/channels/production.json",
            *(f"models/{name}_20260102-0304.joblib" for name in MODEL_NAMES),
            *(f"{folder}{name}.onnx" for name in MODEL_NAMES),
            *(folder + name for name in RELEASE_FILES),
        ]
    )


def test_manifest_says_what_it_was_made_from(lake: CandleLake) -> None:
    result = quickly(lake, MemoryStore(), seed=5, quotes=("USDT", "USD"), source_revision="abc123")
    training = result.manifest.training
    assert training["seed"] == 5
    assert training["quotes"] == ["USDT", "USD"]
    assert training["candles"] == {
        "version": lake.version(),
        "rows": 440,
        "first": "2024-01-01T00:00:00Z",
        "last": "2024-08-07T00:00:00Z",
        "sources": ["invented"],
    }
    rows = 220 - result.manifest.features.lookback
    assert training["assets"] == {name: {"quote": "USDT", "rows": rows} for name in ("ADA", "BTC")}
    assert training["rows"] == 2 * rows
    assert training["hold_out"]["train"]["last"] < training["hold_out"]["test"]["first"]
    assert training["sample"]["regressor_rf"] == {"max_rows": 1000, "rows": 2 * rows}
    assert result.manifest.source_revision == "abc123"
    assert {"python", "numpy", "scikit-learn"} <= result.manifest.environment.keys()


def test_each_fold_is_fitted_on_earlier_rows_and_the_final_models_on_all(lake: CandleLake) -> None:
    fitted: list[int] = []

    def recording(name: str) -> Any:
        recipe = QUICK[name]

        def build(rows: int, seed: int) -> object:
            fitted.append(rows)
            return recipe.build(rows, seed)

        return type(recipe)(build)

    result = quickly(lake, MemoryStore(), recipes={name: recording(name) for name in QUICK}, jobs=1)
    training = result.manifest.training
    folds = [fold["train"]["rows"] for fold in training["walk_forward"]["folds"]]
    assert sorted(fitted[:25]) == sorted(folds * 5)
    assert fitted[25:30] == [training["rows"]] * 5
    proven = result.manifest.proofs
    assert proven is not None
    cut = folds[proven.forecasts.fold - 1]
    assert fitted[30:] == [cut] * 5 + [training["rows"]] * 5, "fitted again: a fold on cut candles, and all models"


def test_stages_are_reported_in_order_and_to_their_ends(lake: CandleLake) -> None:
    heard: list[tuple[str, int, int]] = []
    quickly(lake, MemoryStore(), heard=heard)
    assert list(dict.fromkeys(stage for stage, _, _ in heard)) == list(STAGES)
    for stage in STAGES:
        steps = [(done, total) for name, done, total in heard if name == stage]
        assert steps == [(done, steps[0][1]) for done in range(steps[0][1] + 1)]


def test_model_card_shows_every_verdict(lake: CandleLake) -> None:
    store = MemoryStore()
    result = quickly(lake, store)
    card = store.get("models/releases/20260102-0304/model-card.md").data.decode()
    for name, metrics in result.metrics.items():
        line = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert metrics["verdict"] in line
    assert "not investment advice" in card


def test_same_candles_and_seed_give_the_same_bytes(lake: CandleLake) -> None:
    def digests(results: Iterable[TrainingResult]) -> list[list[str]]:
        return [[model.joblib.sha256 for model in result.manifest.models] for result in results]

    one, other = digests(quickly(lake, MemoryStore(), jobs=jobs) for jobs in (1, 2))
    assert one == other
    (seeded,) = digests([quickly(lake, MemoryStore(), seed=1)])
    assert seeded[0] != one[0]


def test_fits_side_by_side_leave_the_warning_filters_of_the_process_alone(
    lake: CandleLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what a thread empties while another looks makes scikit-learn warn, once in a while, and is lost for good
    emptied = list[str]()
    monkeypatch.setattr(warnings, "resetwarnings", lambda: emptied.append("by a tree"))
    quickly(lake, MemoryStore(), jobs=5, folds=2)
    assert emptied == []


def test_newest_fold_is_told_as_the_hold_out_that_earlier_versions_read(lake: CandleLake) -> None:
    training = quickly(lake, MemoryStore()).manifest.training
    newest = training["walk_forward"]["folds"][-1]
    assert training["hold_out"] == {key: newest[key] for key in ("embargo_candles", "train", "test")}
    assert training["hold_out"]["test"]["last"] == training["last"]


def test_evaluation_says_how_and_on_what_each_model_was_scored(lake: CandleLake) -> None:
    store = MemoryStore()
    result = quickly(lake, store, folds=4, window="rolling", fee=0.002)
    report = json.loads(store.get("models/releases/20260102-0304/evaluation.json").data)
    assert report["format"] == 1
    assert report["window"] == "rolling"
    assert len(report["folds"]) == report["scored"]["parts"] == 4
    assert report["method"]["fee"] == 0.002
    assert list(report["models"]) == list(MODEL_NAMES)
    for name, scores in report["models"].items():
        assert scores["intervals"].keys() >= {"skill"}
        assert len(scores["parts"]) == 4
        assert list(scores["assets"]) == ["ADA", "BTC"]
        assert result.metrics[name].items() <= scores.items()
        assert "assets" not in result.metrics[name], "the manifest holds no details"
