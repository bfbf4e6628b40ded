import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import ModelRefused, StorageUnavailable, TrainingRefused, WriteConflict
from cripto.features import build_features
from cripto.market.lake import CandleLake, MemoryLake
from cripto.market.listings import Listings
from cripto.market.source import Pair
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore, ObjectStore
from cripto.training import STAGES, TrainingPlan, TrainingResult, train
from cripto.training.estimators import Recipe
from cripto.training.leaks import Builder
from cripto.training.promotion import resume
from cripto.training.walk_forward import MINIMUM_ROWS
from tests.doubles.candles import random_walk
from tests.doubles.stores import FailingStore, WatchedStore
from tests.unit.training.toys import NOW, QUICK, REMEMBERED, lake_of, no_conversion, remembering

WRITES_BEFORE_THE_MANIFEST = 14  # five graphs, four other files, five joblibs
FEWER = [pytest.param(count, marks=pytest.mark.slow) for count in (0, 7)]
RELEASE_FILES = ("evaluation.html", "evaluation.json", "manifest.json", "model-card.md", "probes.json")


@pytest.fixture(scope="module")
def lake() -> CandleLake:
    return lake_of(random_walk(["ADA", "BTC"], 220))


def quickly(
    lake: CandleLake,
    store: ObjectStore,
    clock: FixedClock | None = None,
    heard: list[tuple[str, int, int]] | None = None,
    **plan: Any,
) -> TrainingResult:
    def report(stage: str, done: int, total: int) -> None:
        if heard is not None:
            heard.append((stage, done, total))

    asked = TrainingPlan(**{"recipes": QUICK, **plan})
    return train(
        lake,
        ReleaseRegistry(store),
        asked,
        clock or FixedClock(NOW),
        report,
        no_conversion,
        draw=lambda _: b"a page",
    )


def names(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


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


def test_an_asset_is_trained_on_in_a_quote_it_is_still_traded_in() -> None:
    lake = lake_of(pl.concat([random_walk(["BTC"], 270), random_walk(["BTC"], 270, quote="USD")]))
    listings = Listings().seen("binance", [Pair("BTC", "USDT", active=False)], NOW)
    plan = TrainingPlan(recipes=QUICK, quotes=("USDT",))
    for known, quote in ((Listings(), "USDT"), (listings, "USD")):
        registry = ReleaseRegistry(MemoryStore())
        result = train(
            lake, registry, plan, FixedClock(NOW), convert=no_conversion, listings=known, draw=lambda _: b""
        )
        assert result.manifest.training["assets"]["BTC"]["quote"] == quote


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


def test_first_release_is_promoted_unasked(lake: CandleLake) -> None:
    result = quickly(lake, MemoryStore())
    assert result.promoted
    assert "first 1d release" in result.reason


def test_later_release_is_published_but_not_promoted_unasked(lake: CandleLake) -> None:
    store = MemoryStore()
    first = quickly(lake, store)
    second = quickly(lake, store, FixedClock(NOW + timedelta(days=1)))
    assert not second.promoted
    assert ReleaseRegistry(store).resolve("1d", "1d") == first.manifest.release
    assert ReleaseRegistry(store).versions() == [first.manifest.release, second.manifest.release]


def test_minute_that_is_taken_gives_way_to_the_second(lake: CandleLake) -> None:
    store = MemoryStore()
    quickly(lake, store)
    assert str(quickly(lake, store).manifest.release) == "20260102-030405"


def test_other_intervals_have_a_channel_of_their_own(lake: CandleLake) -> None:
    store = MemoryStore()
    assert quickly(lake, store, default_interval="1h").promoted
    assert names(store, "models/channels/") == ["models/channels/production-1d.json"]


@pytest.mark.parametrize("writes", [*FEWER, WRITES_BEFORE_THE_MANIFEST])
def test_run_that_dies_before_the_manifest_leaves_no_release(lake: CandleLake, writes: int) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        quickly(lake, FailingStore(store, writes))
    assert ReleaseRegistry(store).versions() == []
    again = quickly(lake, store)
    assert again.promoted
    assert ReleaseRegistry(store).verify(again.manifest) == []


def test_run_that_dies_before_the_promotion_leaves_a_whole_release(lake: CandleLake) -> None:
    store = MemoryStore()
    with pytest.raises(StorageUnavailable):
        quickly(lake, FailingStore(store, WRITES_BEFORE_THE_MANIFEST + 1))
    registry = ReleaseRegistry(store)
    (version,) = registry.versions()
    assert registry.verify(registry.manifest(version)) == []
    assert registry.resolve("1d", "1d") == version
    assert registry.channel("1d", "1d") is None
    assert resume(registry, version, "1d", False, FixedClock(NOW)) == "the first 1d release of this store"
    channel = registry.channel("1d", "1d")
    assert channel is not None
    assert channel.release == version
    store.delete("models/channels/production.json")
    assert quickly(lake, store, FixedClock(NOW + timedelta(days=1))).promoted


def test_version_that_another_run_takes_meanwhile_is_left_to_it(lake: CandleLake) -> None:
    store = MemoryStore()

    def rival(method: str, key: str) -> None:
        if method == "create" and "models/releases/20260102-0304/" in key and not names(store):
            store.create("models/releases/20260102-0304/classifier_rf.onnx", b"somebody else's")

    result = quickly(lake, WatchedStore(store, rival))
    assert str(result.manifest.release) == "20260102-030405"
    assert ReleaseRegistry(store).verify(result.manifest) == []


def test_version_that_is_taken_again_and_again_is_given_up(lake: CandleLake) -> None:
    tries: list[str] = []
    store = MemoryStore()

    def rival(method: str, key: str) -> None:
        if method == "create" and key.endswith("/regressor_rf.onnx"):
            tries.append(key)
            store.create(key, b"somebody else's")

    with pytest.raises(WriteConflict):
        quickly(lake, WatchedStore(store, rival))
    assert ReleaseRegistry(store).versions() == []
    assert len(tries) == 3


def test_refused_conversion_publishes_nothing(lake: CandleLake) -> None:
    def refuses(*_: object) -> Any:
        raise ModelRefused("regressor_rf", "its graph and its estimator differ by 1")

    store = MemoryStore()
    plan = TrainingPlan(recipes=QUICK)
    with pytest.raises(ModelRefused):
        train(lake, ReleaseRegistry(store), plan, FixedClock(NOW), convert=refuses)
    assert names(store) == []


def _climbing(count: int, each: float) -> pl.DataFrame:
    """BTC whose close moves by the factor ``each`` a day, without exception."""
    price = pl.Series([100.0 * each**place for place in range(count)])
    return random_walk(["BTC"], count).with_columns(open=price, close=price, high=price * 1.01, low=price / 1.01)


@pytest.mark.parametrize(
    ("candles", "reason"),
    [
        (None, "no candles in the lake"),
        (random_walk(["BTC"], 60), "longest series has 60"),
        (random_walk(["BTC"], 200), f"at least {MINIMUM_ROWS} are needed"),
        (_climbing(400, 1.001), "rises after every one of"),
        (_climbing(400, 0.999), "rises after none of"),
        (_climbing(400, 1.0), "never moves"),
    ],
)
def test_candles_that_do_not_do_are_refused_with_the_reason(candles: pl.DataFrame | None, reason: str) -> None:
    store = MemoryStore()
    lake = MemoryLake() if candles is None else lake_of(candles)
    with pytest.raises(TrainingRefused, match=reason):
        quickly(lake, store)
    assert names(store) == []


def test_one_asset_is_enough() -> None:
    result = quickly(lake_of(random_walk(["BTC"], 400)), MemoryStore())
    assert list(result.manifest.training["assets"]) == ["BTC"]
    assert result.promoted


def test_coin_with_few_candles_beside_others_is_left_out() -> None:
    candles = pl.concat([random_walk(["BTC"], 400), random_walk(["NEW"], 60)])
    training = quickly(lake_of(candles), MemoryStore()).manifest.training
    assert list(training["assets"]) == ["BTC"]
    assert training["left_out"] == ["NEW"]


def test_same_candles_and_seed_give_the_same_bytes(lake: CandleLake) -> None:
    def digests(results: Iterable[TrainingResult]) -> list[list[str]]:
        return [[model.joblib.sha256 for model in result.manifest.models] for result in results]

    one, other = digests(quickly(lake, MemoryStore(), jobs=jobs) for jobs in (1, 2))
    assert one == other
    (seeded,) = digests([quickly(lake, MemoryStore(), seed=1)])
    assert seeded[0] != one[0]


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


def _peeking(candles: pl.DataFrame, spec: FeatureSpec, interval: Interval) -> pl.DataFrame:
    """The builder, with the next candle's close in the first feature."""
    ahead = candles.sort("symbol", "time").select(
        "symbol", "time", peek=pl.col("close").shift(-1).over("symbol") / pl.col("close") - 1
    )
    return (
        build_features(candles, spec, interval)
        .join(ahead, on=["symbol", "time"], how="left", maintain_order="left")
        .with_columns(pl.col("peek").fill_null(0.0).alias(spec.names[0]))
        .drop("peek")
    )


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(_peeking, "the future leaks in", id="peeks one candle ahead"),
        pytest.param(
            remembering,
            f"{REMEMBERED} of a row are not the same from its last 61 candles",
            id="remembers for ever",
        ),
    ],
)
def test_feature_that_knows_too_much_is_caught_and_nothing_published(
    lake: CandleLake, build: Builder, reason: str
) -> None:
    store = MemoryStore()
    with pytest.raises(TrainingRefused, match=reason):
        train(
            lake,
            ReleaseRegistry(store),
            TrainingPlan(recipes=QUICK),
            FixedClock(NOW),
            convert=no_conversion,
            build=build,
        )
    assert names(store) == []


def test_estimator_that_ignores_its_seed_is_caught_and_nothing_published(lake: CandleLake) -> None:
    def build(rows: int, seed: int) -> Any:
        return QUICK["regressor_rf"].build(rows, seed).set_params(random_state=None)

    store = MemoryStore()
    with pytest.raises(TrainingRefused, match="regressor_rf"):
        quickly(lake, store, recipes={**QUICK, "regressor_rf": Recipe(build)}, folds=2)
    assert names(store) == []


def test_manifest_and_card_carry_the_proofs_and_no_engine_moves_a_word_of_them(lake: CandleLake) -> None:
    told = []
    for jobs in (1, 2):
        store = MemoryStore()
        manifest = quickly(lake, store, jobs=jobs, folds=2).manifest
        assert manifest.unproven() is None
        assert manifest.proofs is not None
        assert manifest.proofs.look_ahead.assets == 2
        told.append(manifest.to_bytes())
        card = store.get("models/releases/20260102-0304/model-card.md").data.decode()
        assert "- Determinism: every model fitted a second time" in card
    assert told[0] == told[1]


def test_current_release_that_cannot_be_asked_keeps_no_new_one_from_its_place(lake: CandleLake) -> None:
    store = MemoryStore()
    first = quickly(lake, store, folds=2)
    second = quickly(lake, store, FixedClock(NOW + timedelta(days=1)), folds=2, promote=True)
    assert second.promoted, "the graphs of these tests are none, so the current release cannot be loaded"
    current = first.manifest.release
    assert f"not worse than {current} walking forward ({current} cannot be asked: " in second.reason
    assert second.challenge is not None
    assert second.manifest.training["promotion"] == {
        "asked": True,
        "against": str(current),
        "sequence": 1,
        "worse": False,
        "reason": second.challenge.reason,
    }
