"""A training run for real: candles in a lake, graphs converted in the child process, a release that loads."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.domain.forecast import ClassifierForecast, Forecast
from cripto.domain.model_name import MODEL_NAMES
from cripto.forecasting.calibration import calibrate
from cripto.forecasting.forecaster import forecast_windows
from cripto.forecasting.novelty import NoveltyScale
from cripto.forecasting.ranges import RangeScale
from cripto.forecasting.release import load_release
from cripto.forecasting.windows import Window, read_windows
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore, open_store
from cripto.training import TrainingPlan, TrainingResult, train
from cripto.training.dataset import build_dataset, to_datetime
from tests.doubles.candles import DAILY, HOURLY, random_walk
from tests.doubles.processes import command
from tests.unit.training.toys import NOW, QUICK, lake_of

ROOT = Path(__file__).parents[2]

DIGESTS = """
import json, sys
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.domain.clock import FixedClock
from cripto.training import TrainingPlan, train
from tests.doubles.candles import HOURLY, random_walk
from tests.doubles.processes import command
from tests.unit.training.toys import NOW, lake_of

lake = lake_of(random_walk(["BTC", "ETH", "ADA"], 260))
result = train(lake, ReleaseRegistry(MemoryStore()), TrainingPlan(jobs=int(sys.argv[1])), FixedClock(NOW))
print(json.dumps({model.name: [model.onnx.sha256, model.joblib.sha256] for model in result.manifest.models}))
"""


def train_into(url: str, candles: pl.DataFrame) -> tuple[ReleaseRegistry, TrainingResult]:
    lake = open_lake(url)
    lake.upsert(candles)
    registry = ReleaseRegistry(open_store(url))
    return registry, train(lake, registry, TrainingPlan(recipes=QUICK, folds=2), FixedClock(NOW))


def check_served(registry: ReleaseRegistry, result: TrainingResult) -> None:
    """The release loads, which proves it on its probe rows, and gives what the estimators gave."""
    assert registry.verify(result.manifest) == []
    release = load_release(registry, registry.resolve("1d", "1d"))
    (entry,) = [entry for entry in result.manifest.files if entry.path.endswith("/probes.json")]
    probes = json.loads(registry.read(result.manifest, entry))
    outputs = release.raw(np.array(probes["features"]))
    assert list(outputs) == list(MODEL_NAMES)
    for name, values in outputs.items():
        np.testing.assert_allclose(values, probes["expected"][name], rtol=1e-9, atol=1e-12)


def test_release_trained_in_a_folder_is_served(tmp_path: Path) -> None:
    check_served(*train_into(tmp_path.as_uri(), random_walk(["BTC", "ETH"], 300)))


@pytest.mark.slow
def test_release_trained_on_s3_is_served(s3_bucket: str) -> None:
    check_served(*train_into(f"s3://{s3_bucket}/there", random_walk(["BTC", "ETH"], 300)))


@pytest.mark.slow
def test_two_processes_train_the_same_bytes() -> None:
    def digests(jobs: int, hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-W", "error", "-c", DIGESTS, str(jobs)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    first, second = digests(1, "1"), digests(2, "2")
    assert len(json.loads(first)) == 5
    assert first == second


def test_importing_the_room_does_not_import_scikit_learn() -> None:
    code = "import cripto.training, sys; print(sorted({'sklearn', 'joblib', 'skl2onnx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def _train_on(file: Path, interval: str, folds: int = 5) -> tuple[ReleaseRegistry, TrainingResult]:
    candles = pl.read_parquet(file).with_columns(interval=pl.lit(interval))
    registry = ReleaseRegistry(MemoryStore())
    plan = TrainingPlan(interval=interval, default_interval=interval, folds=folds)
    return registry, train(lake_of(candles), registry, plan, FixedClock(NOW))


@pytest.mark.slow
def test_real_daily_candles_give_a_release_that_claims_no_more_than_it_knows(daily_file: Path) -> None:
    registry, result = _train_on(daily_file, "1d", folds=2)  # five take a minute; the slow suite has them
    training = result.manifest.training
    assert len(training["assets"]) == 39
    assert training["candles"]["rows"] == 66_741
    assert training["rows"] == 66_741 - 39 * result.manifest.features.lookback
    assert training["hold_out"]["test"]["rows"] > 10_000
    assert all(abs(metrics["skill"]) < 0.05 for metrics in result.metrics.values()), (
        "daily returns are mostly noise"
    )
    check_served(registry, result)


@pytest.mark.slow
def test_real_hourly_candles_are_trained_on_a_stated_sample(hourly_file: Path) -> None:
    _, result = _train_on(hourly_file, "1h")
    training = result.manifest.training
    assert training["candles"]["rows"] == 667_703
    assert training["rows"] > 600_000
    assert {sample["rows"] for sample in training["sample"].values()} == {150_000}
    assert all(abs(metrics["skill"]) < 0.05 for metrics in result.metrics.values())


@pytest.mark.slow
def test_another_interval_is_trained_for_its_own_channel(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    open_lake(url).upsert(random_walk(["BTC", "ETH"], 400, HOURLY))
    done = command("train", "--interval", "1h", "--json", env={"CRIPTO_STORE": url}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["promoted"]
    assert [info.key for info in open_store(url).list("models/channels/")] == [
        "models/channels/production-1h.json"
    ]


@pytest.mark.slow
def test_what_is_served_is_what_training_scores_with_the_releases_numbers(tmp_path: Path) -> None:
    """Row by row: calibrated probabilities, ranges and novelty of answers are those of the rows training sees."""
    candles = random_walk(["BTC", "ETH", "ADA"], 420)
    registry, result = train_into(tmp_path.as_uri(), candles)
    assert result.manifest.training["calibration"]["too_little"] == []
    release = load_release(registry, registry.resolve("1d", "1d"))
    dataset = build_dataset(candles, result.manifest.features, DAILY)
    rows = np.flatnonzero(dataset.time == dataset.time[-40])
    assert len(rows) == 3
    opened = to_datetime(dataset.time[-40])
    lake_frame = candles.filter(pl.col("time") <= opened).sort("symbol", "time")
    windows = read_windows(lake_frame, DAILY, result.manifest.features.lookback).by_symbol
    outcomes = forecast_windows(release, [w for w in windows.values() if isinstance(w, Window)], NOW)
    raw, entries = release.raw(dataset.features), {entry.name: entry for entry in result.manifest.models}
    for row in rows:
        forecast = outcomes[dataset.symbol[int(row)]]
        assert isinstance(forecast, Forecast)
        for model in forecast.models:
            calibration, ranges = entries[model.name].calibration, entries[model.name].ranges
            told = raw[model.name][row : row + 1]
            if isinstance(model, ClassifierForecast):
                assert calibration is not None
                assert model.calibrated
                assert model.probability == round(float(calibrate(told, calibration)[0]), 9)
            else:
                assert ranges is not None
                widths = RangeScale(ranges, dataset.names).half_widths(dataset.features)[:, row]
                for found, width in zip(model.ranges, widths, strict=True):
                    assert found.low == float(f"{forecast.price * math.exp(float(told[0]) - float(width)):.10g}")
                    assert found.high == float(f"{forecast.price * math.exp(float(told[0]) + float(width)):.10g}")
        assert result.manifest.novelty is not None
        novelty = NoveltyScale(result.manifest.novelty, dataset.names).of(dataset.features)[row]
        assert forecast.novelty == round(float(novelty), 4)


@pytest.mark.slow
def test_a_history_too_short_to_calibrate_gives_a_release_that_says_so(tmp_path: Path) -> None:
    registry, result = train_into(tmp_path.as_uri(), random_walk(["BTC", "ETH", "ADA"], 150))
    assert result.manifest.training["calibration"]["fitted"] == []
    assert not any(model.calibrated or model.ranges for model in result.manifest.models)
    card = next(entry for entry in result.manifest.files if entry.path.endswith("model-card.md"))
    assert b"not calibrated" in registry.read(result.manifest, card)
    check_served(registry, result)
