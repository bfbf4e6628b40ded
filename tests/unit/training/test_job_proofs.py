"""What a run proves before it publishes, and what it catches."""

from typing import Any

import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import Interval
from cripto.errors import TrainingRefused
from cripto.features import build_features
from cripto.market.lake import CandleLake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import TrainingPlan, train
from cripto.training.estimators import Recipe
from cripto.training.leaks import Builder
from tests.doubles.candles import random_walk
from tests.unit.training.toys import NOW, QUICK, REMEMBERED, lake_of, names, no_conversion, quickly, remembering


@pytest.fixture(scope="module")
def lake() -> CandleLake:
    return lake_of(random_walk(["ADA", "BTC"], 220))


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
