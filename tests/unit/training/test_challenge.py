"""Champion and challenger: who is better on candles the champion never saw, and what is said if nobody knows."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.clock import FixedClock, rfc3339
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.domain.release_version import ReleaseVersion
from cripto.features import default_spec
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training.challenge import Challenge, Champion, challenge, champion_of, compare, compare_walks
from cripto.training.dataset import Dataset
from cripto.training.engine import LocalEngine
from cripto.training.served import Served, Walk
from cripto.training.verdict import MINIMUM_DAYS
from cripto.training.walk_forward import Predictions, out_of_fold, walk_forward
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.releases import fake_draft
from tests.unit.forecasting.toys import draft as constants
from tests.unit.training.toys import NOW, QUICK, dataset_of, momentum

CURRENT = ReleaseVersion.parse("20260101-0000")
CLOCK = FixedClock(NOW)
INTERVAL = [-0.01, 0.01]


def nobody(*_: int) -> None:
    """Does not listen."""


def release(registry: ReleaseRegistry, trained_to: datetime, graphs: Mapping[str, bytes] | None = None) -> None:
    """Publish and promote constants that say they were trained up to then."""
    told = {"last": rfc3339(trained_to), "assets": {"BTC": {"rows": 9}}}
    draft = replace(constants(str(CURRENT), spec=default_spec(), models=graphs), training=told)
    models = {name: replace(model, metrics={"verdict_interval": INTERVAL}) for name, model in draft.models.items()}
    registry.publish(replace(draft, models=models))
    registry.promote(CURRENT, "1d", CLOCK)


# the rule, on rows whose answers are known


def said(actual: np.ndarray, knowing: float, seed: int) -> dict[str, np.ndarray]:
    """What five models say that know a share of what comes, each with a noise of its own."""
    random = np.random.default_rng(seed)
    told = {}
    for name in MODEL_NAMES:
        guess = knowing * actual + random.normal(0, 0.002, len(actual))
        told[name] = guess if tipo_of(name) == "regressor" else 1 / (1 + np.exp(-guess / 0.03))
    return told


def rows_of(days: int, each: int = 5) -> tuple[np.ndarray, np.ndarray]:
    time = np.repeat(np.datetime64("2025-01-01", "us") + np.arange(days) * np.timedelta64(1, "D"), each)
    return time, np.random.default_rng(1).normal(0, 0.03, len(time))


def test_clearly_worse_challenger_is_called_so_and_the_models_named() -> None:
    time, actual = rows_of(200)
    found = compare(CURRENT, time, actual, said(actual, -0.3, 2), said(actual, 0.1, 3), 0)
    assert found.worse
    assert found.reason.startswith("worse than 20260101-0000 on 1000 rows, 200 days that 20260101-0000 never saw")
    assert "regressor_lin" in found.reason
    assert found.models is not None
    for scores in found.models.values():
        assert scores["interval"][0] < scores["skill"] < scores["interval"][1] < 0


def test_clearly_better_challenger_is_not_worse() -> None:
    time, actual = rows_of(200)
    found = compare(CURRENT, time, actual, said(actual, 0.1, 2), said(actual, -0.3, 3), 0)
    assert not found.worse
    assert found.models is not None
    assert all(scores["interval"][0] > 0 for scores in found.models.values())


def test_equals_are_not_worse_whichever_comes_out_ahead() -> None:
    time, actual = rows_of(200)
    for seed in range(10):
        found = compare(CURRENT, time, actual, said(actual, 0.05, seed), said(actual, 0.05, 100 + seed), 0)
        assert not found.worse, seed
    one = said(actual, 0.05, 1)
    same = compare(CURRENT, time, actual, one, one, 0)
    assert not same.worse
    assert same.models is not None
    assert {scores["skill"] for scores in same.models.values()} == {0.0}


def test_one_bad_model_of_five_is_enough() -> None:
    time, actual = rows_of(200)
    old = said(actual, 0.05, 1)
    found = compare(CURRENT, time, actual, {**old, "classifier_rf": np.where(actual > 0, 0.3, 0.7)}, old, 0)
    assert found.worse
    assert found.models is not None
    assert [name for name, scores in found.models.items() if scores["worse"]] == ["classifier_rf"]


def test_champion_without_any_error_cannot_be_compared_by_ratio_and_nothing_breaks() -> None:
    time, _ = rows_of(200)
    actual = np.zeros(len(time))
    perfect = {"regressor_rf": actual}
    found = compare(CURRENT, time, actual, {"regressor_rf": actual + 0.1}, perfect, 0)
    assert found.models == {"regressor_rf": {"skill": None, "interval": None, "worse": False}}


# by what each scored walking forward


def champion_scored(assets: tuple[str, ...] = ("BTC",), interval: list[float] | None = INTERVAL) -> Manifest:
    draft = fake_draft(str(CURRENT))
    models = {name: replace(model, metrics={"verdict_interval": interval}) for name, model in draft.models.items()}
    training: dict[str, Any] = {"assets": {name: {} for name in assets}}
    return replace(draft, models=models, training=training).seal()[0]


def scored(**intervals: list[float] | None) -> Mapping[str, Mapping[str, Any]]:
    return {name: {"verdict_interval": intervals.get(name, INTERVAL)} for name in MODEL_NAMES}


@pytest.mark.parametrize(
    ("interval", "worse"),
    [([-0.05, -0.02], True), ([-0.05, -0.005], False), ([0.2, 0.3], False), (None, False)],
)
def test_walks_are_compared_by_intervals_that_lie_apart(interval: list[float] | None, worse: bool) -> None:
    found, reason = compare_walks(champion_scored(), frozenset({"BTC"}), scored(regressor_gbr=interval))
    assert found is worse
    assert "walking forward" in reason
    assert ("regressor_gbr -0.0500 to -0.0200 against -0.0100 to +0.0100" in reason) is worse


def test_walks_of_other_assets_or_without_intervals_are_not_compared() -> None:
    low = scored(regressor_gbr=[-0.5, -0.4])
    assert compare_walks(champion_scored(("ETH",)), frozenset({"BTC"}), low)[0] is None
    assert compare_walks(champion_scored(interval=None), frozenset({"BTC"}), low)[0] is None


def test_new_release_without_intervals_is_not_compared() -> None:
    found, reason = compare_walks(champion_scored(), frozenset({"BTC"}), scored(**dict.fromkeys(MODEL_NAMES)))
    assert found is None
    assert reason == "not compared with 20260101-0000, since the new release has no intervals"


@pytest.mark.parametrize(("old", "new"), [("MATIC", "POL"), ("POL", "MATIC"), ("MATIC", "MATIC")])
def test_renamed_coin_is_the_same_asset(old: str, new: str) -> None:
    low = scored(regressor_gbr=[-0.5, -0.4])
    assert compare_walks(champion_scored(("BTC", old)), frozenset({"BTC", new}), low)[0] is True


@pytest.mark.parametrize("interval", ["no", [0.1], [None, 1], 3, [10**400, 1]])
def test_champion_whose_intervals_are_none_is_not_compared_and_nothing_breaks(interval: Any) -> None:
    assert compare_walks(champion_scored(interval=interval), frozenset({"BTC"}), scored())[0] is None


# the champion, asked


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> ReleaseRegistry:
    return ReleaseRegistry(store)


def test_champion_says_what_it_serves_of_candles_after_its_own_alone(registry: ReleaseRegistry) -> None:
    release(registry, START + timedelta(days=150))
    champion = champion_of(registry, "1d", "1d", random_walk(["BTC", "NEW"], 300))
    assert champion is not None
    assert champion.silent is None
    assert champion.told["time"].min() == START + timedelta(days=151)
    assert len(champion.told) == 2 * (300 - 1 - 151)
    assert champion.told.columns == ["symbol", "time", *MODEL_NAMES]


def test_no_champion_and_one_that_cannot_be_read_are_none(store: MemoryStore, registry: ReleaseRegistry) -> None:
    candles = random_walk(["BTC"], 200)
    assert champion_of(registry, "1d", "1d", candles) is None
    release(registry, START)
    store.put(f"models/releases/{CURRENT}/manifest.json", b"{}")
    assert champion_of(registry, "1d", "1d", candles) is None


def test_champion_that_is_broken_or_tells_nothing_is_silent(store: MemoryStore, registry: ReleaseRegistry) -> None:
    release(registry, START)
    candles = random_walk(["BTC"], 200)
    store.put(f"models/releases/{CURRENT}/regressor_rf.onnx", b"broken")
    broken = champion_of(registry, "1d", "1d", candles)
    assert broken is not None
    assert broken.silent is not None
    assert "regressor_rf.onnx" in broken.silent
    untold = replace(broken, silent="it does not say")
    dataset = dataset_of(candles)
    found = challenge(untold, _walk(dataset, _nothing(dataset)), scored(), LocalEngine(1), nobody)
    assert not found.worse
    assert found.reason == (
        "not worse than 20260101-0000 walking forward (20260101-0000 cannot be asked: it does not say)"
    )
    low = scored(regressor_gbr=[-0.5, -0.4])
    found = challenge(untold, _walk(dataset, _nothing(dataset)), low, LocalEngine(1), nobody)
    assert found.worse, "its manifest is enough to compare the walks"
    assert "cannot be asked: it does not say" in found.reason


def _nothing(dataset: Dataset) -> Predictions:
    return Predictions((), np.zeros(len(dataset), dtype=np.int64), {})


def _walk(dataset: Dataset, predictions: Predictions) -> Walk:
    return Walk(QUICK, dataset, DAILY, 0, predictions, None, Served(predictions, {}, {}))


# the whole of it: real fits, on a secret that the challenger finds and the toy champion does not know


@pytest.fixture(scope="module")
def secret() -> pl.DataFrame:
    return momentum(["BTC", "ETH", "SOL"], 420, carried=0.4)


@pytest.fixture(scope="module")
def walked(secret: pl.DataFrame) -> tuple[Dataset, Predictions]:
    dataset = dataset_of(secret)
    folds = walk_forward(dataset.time, DAILY, folds=2)
    return dataset, out_of_fold(QUICK, dataset, folds, 0, LocalEngine(2), nobody)


def challenged(champion: Champion, walked: tuple[Dataset, Predictions], **intervals: Any) -> Challenge:
    return challenge(champion, _walk(*walked), scored(**intervals), LocalEngine(2), nobody)


def knowing(dataset: Dataset, last: datetime, share: float) -> Champion:
    """A champion that knows a share of what comes, after ``last``."""
    rows = dataset.time > np.datetime64(last.replace(tzinfo=None))
    actual = dataset.log_return[rows]
    told = pl.DataFrame(
        {
            "symbol": dataset.symbol.filter(pl.Series(rows)),
            "time": pl.Series(dataset.time[rows]).dt.replace_time_zone("UTC"),
            **said(actual, share, 5),
        }
    )
    return Champion(champion_scored(("BTC", "ETH", "SOL")), last, told)


LAST = START + timedelta(days=280)


@pytest.mark.parametrize(("share", "worse"), [(0.95, True), (-0.5, False)])
def test_challenger_is_what_it_would_have_been_before_the_champions_unseen_candles(
    walked: tuple[Dataset, Predictions], share: float, worse: bool
) -> None:
    found = challenged(knowing(walked[0], LAST, share), walked)
    assert found.worse is worse
    assert found.days == 420 - 1 - 281 >= MINIMUM_DAYS
    assert found.rows == 3 * found.days
    assert found.models is not None
    assert list(found.models) == list(QUICK)
    assert found.to_json()["worse"] is worse


def test_fewer_days_than_the_verdict_asks_for_are_compared_by_the_walks(
    walked: tuple[Dataset, Predictions],
) -> None:
    last = START + timedelta(days=419 - MINIMUM_DAYS)
    champion = knowing(walked[0], last, 0.95)
    found = challenged(champion, walked)
    assert not found.worse
    assert found.models is None
    assert "89 days that 20260101-0000 never saw; 90 are needed" in found.reason
    assert challenged(champion, walked, regressor_lin=[-0.9, -0.8]).worse
    assert challenged(knowing(walked[0], last - timedelta(days=1), 0.95), walked).worse
