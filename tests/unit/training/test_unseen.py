"""A release on candles it never saw: which rows count, and that the numbers are those that are served."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from cripto.domain.calibration import Calibration
from cripto.domain.clock import rfc3339
from cripto.domain.manifest import Manifest
from cripto.domain.ranges import Ranges, ScaleTerm
from cripto.errors import InvalidInput, ModelRefused
from cripto.features import build_features, default_spec
from cripto.forecasting.release import LoadedRelease, release_of
from cripto.forecasting.runtime import Matrix, Vector
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import unseen
from cripto.training.unseen import GROUPS, UnseenScores, score_unseen, seen_by
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.releases import fake_draft
from tests.unit.training.toys import momentum

SPEC = default_spec()
LAST = START + timedelta(days=150)
REFERENCE = {"drift": 0.001, "base_rate": 0.52, "pooled_scale": 0.03, "scale": {"BTC": 0.02}}


class Toy:
    """Says ``value`` of every row, or a share of its first feature; remembers the largest batch."""

    def __init__(self, name: str, value: float | None = None) -> None:
        self.name = name
        self.value = value
        self.largest = 0

    def predict(self, matrix: Matrix) -> Vector:
        self.largest = max(self.largest, len(matrix))
        if self.value is not None:
            return np.full(len(matrix), self.value)
        regressor = self.name.startswith("regressor")
        return 0.1 * matrix[:, 0] if regressor else 1 / (1 + np.exp(-10 * matrix[:, 0]))


def manifest_of(training: Mapping[str, Any] | None = None) -> Manifest:
    told = {"last": rfc3339(LAST), "assets": {"BTC": {"rows": 9}, "ETH": {"rows": 9}}, "reference": REFERENCE}
    draft = replace(fake_draft("20260101-0000"), features=SPEC, training=told if training is None else training)
    return ReleaseRegistry(MemoryStore()).publish(draft)


def loaded(manifest: Manifest, **values: float) -> LoadedRelease:
    return release_of(manifest, [Toy(model.name, values.get(model.name)) for model in manifest.models])


def scores_of(candles: pl.DataFrame, manifest: Manifest | None = None, **asked: Any) -> UnseenScores:
    manifest = manifest or manifest_of()
    return score_unseen(manifest, loaded(manifest), candles, 0, **asked)


def rows_with_all(count: int) -> int:
    """Candles of a series of ``count`` that have features and a next candle."""
    return count - SPEC.lookback


def test_each_row_is_in_the_group_it_belongs_to_and_none_trained_on_is_scored() -> None:
    found = scores_of(random_walk(["BTC", "ETH", "NEW"], 300))
    later = 300 - 1 - 151  # candles after the last one trained on that have a next one
    earlier = rows_with_all(300) - later
    assert found.rows == dict(zip(GROUPS, [2 * later, later, earlier], strict=True))
    assert found.trained_on == 2 * earlier
    assert found.new_assets == ("NEW",)
    assert found.evaluation.scored["rows"] == 3 * later + earlier
    assert any("coins move together" in warning for warning in found.warnings)
    for scores in found.evaluation.models.values():
        for label, count in found.rows.items():
            assert scores["regimes"][f"group: {label}"]["rows"] == count


def test_a_coin_renamed_since_is_no_new_asset() -> None:
    """The release knew MATIC; candles of today tell its whole history as POL."""
    told = {"last": rfc3339(LAST), "assets": {"MATIC": {"rows": 9}}, "reference": REFERENCE}
    found = scores_of(random_walk(["POL"], 300), manifest_of(told))
    assert found.new_assets == ()
    assert found.rows["new assets, earlier"] == found.rows["new assets, later"] == 0
    assert found.trained_on > 0


def test_first_row_after_the_last_one_trained_on_counts() -> None:
    found = scores_of(random_walk(["BTC"], 154))
    assert found.rows[GROUPS[0]] == 2
    assert found.evaluation.scored["first"] == rfc3339(LAST + timedelta(days=1))


def test_rows_of_new_assets_in_the_time_trained_on_may_be_left_out() -> None:
    found = scores_of(random_walk(["BTC", "NEW"], 300), earlier=False)
    assert found.rows[GROUPS[2]] == 0
    assert not found.warnings


def test_scored_is_what_the_release_says_of_the_features_that_serving_builds() -> None:
    candles = random_walk(["BTC"], 260)
    found = scores_of(candles).evaluation.models["regressor_lin"]
    features = build_features(candles, SPEC, DAILY)
    closes = candles["close"].log().diff().shift(-1)
    rows = features.with_columns(came=closes).filter(pl.col("time") > LAST).drop_nulls()
    error = 0.1 * rows[SPEC.names[0]].to_numpy() - rows["came"].to_numpy()
    assert found["rmse"] == pytest.approx(float(np.sqrt((error**2).mean())))


def test_nothing_depends_on_how_many_assets_and_rows_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = random_walk(["ADA", "BTC", "ETH"], 220)
    whole = scores_of(candles)
    monkeypatch.setattr(unseen, "_CANDLES_AT_ONCE", 100)
    monkeypatch.setattr(unseen, "_ROWS_AT_ONCE", 7)
    heard: list[tuple[int, int]] = []
    manifest = manifest_of()
    release = loaded(manifest)
    parts = score_unseen(manifest, release, candles, 0, report=lambda done, total: heard.append((done, total)))
    assert parts.to_json() == whole.to_json()
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_same_scores_and_rule_as_in_training_and_real_knowledge_is_found() -> None:
    found = scores_of(momentum(["BTC", "ETH", "SOL", "XRP"], 600, carried=0.2))
    for name in ("regressor_lin", "classifier_log"):
        scores = found.evaluation.models[name]
        assert scores["verdict"] == "habilidade"
        assert len(scores["parts"]) == 5


def test_release_of_an_earlier_version_is_scored_without_drift_and_base_rate() -> None:
    told = {"last": rfc3339(LAST), "assets": {"BTC": {"rows": 9}}}
    found = scores_of(random_walk(["BTC"], 260), manifest_of(told))
    assert list(found.evaluation.models["regressor_lin"]["baselines"]) == ["last_price", "seasonal"]
    assert list(found.evaluation.models["classifier_rf"]["baselines"]) == ["coin"]
    assert any("drift and base rate" in warning for warning in found.warnings)


@pytest.mark.parametrize("training", [{}, {"last": "never", "assets": {}}, {"last": rfc3339(LAST)}])
def test_release_that_does_not_say_what_it_saw_is_refused(training: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="does not say on which candles"):
        scores_of(random_walk(["BTC"], 260), manifest_of(training))


@pytest.mark.parametrize(
    ("candles", "reason"),
    [
        (random_walk(["BTC"], 150), "was trained on all of the"),
        (random_walk(["BTC"], 60), "none of 60 candles has features and a next candle"),
        (random_walk([], 1), "none of 0 candles"),
    ],
)
def test_nothing_left_to_score_is_refused(candles: pl.DataFrame, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        scores_of(candles)


def test_model_that_says_no_number_is_refused() -> None:
    manifest = manifest_of()
    with pytest.raises(ModelRefused, match="is not a number"):
        score_unseen(manifest, loaded(manifest, regressor_rf=np.nan), random_walk(["BTC"], 260), 0)


def test_context_reaches_back_as_far_as_features_and_regimes_do() -> None:
    manifest = manifest_of()
    since: datetime = seen_by(manifest).context(manifest)
    candles = random_walk(["BTC", "ETH"], 400)
    whole, cut = scores_of(candles), scores_of(candles.filter(pl.col("time") >= since))
    for name, scores in whole.evaluation.models.items():
        assert cut.evaluation.models[name]["skill"] == scores["skill"]
        assert cut.evaluation.models[name]["regimes"] == scores["regimes"]


def test_ranges_are_scored_as_they_are_served() -> None:
    told = manifest_of()
    ranges = Ranges(0.0, (ScaleTerm("volatility_20", 1.0, True),), (1.2, 2.0))
    models = tuple(replace(m, ranges=ranges) if m.name == "regressor_lin" else m for m in told.models)
    candles = random_walk(["BTC", "NEW"], 300)
    found = scores_of(candles, replace(told, models=models)).evaluation.models
    assert found["regressor_rf"]["coverage"] is None
    table = build_features(candles, SPEC, DAILY).sort("symbol", "time")
    closes = candles.select("symbol", "time", "close").sort("symbol", "time")
    rows = table.join(closes, on=["symbol", "time"]).with_columns(
        error=(pl.col("close").shift(-1).over("symbol") / pl.col("close")).log() - 0.1 * pl.col("return_1")
    )
    scored = rows.drop_nulls().filter((pl.col("symbol") == "NEW") | (pl.col("time") > LAST))
    for entry, quantile in zip(found["regressor_lin"]["coverage"], (1.2, 2.0), strict=True):
        inside = (scored["error"].abs() <= quantile * scored["volatility_20"]).mean()
        assert entry["rows"] == len(scored)
        assert entry["covered"] == pytest.approx(inside)


def test_probabilities_are_scored_calibrated() -> None:
    told = manifest_of()
    models = tuple(
        replace(m, calibration=Calibration(0.0, 0.0)) if m.name == "classifier_log" else m for m in told.models
    )
    found = scores_of(random_walk(["NEW"], 300), replace(told, models=models)).evaluation.models
    assert found["classifier_log"]["prediction_deviation"] == pytest.approx(0.0, abs=1e-15)
    assert found["classifier_log"]["brier"] == pytest.approx(0.25)
    assert found["classifier_rf"]["prediction_deviation"] > 0
