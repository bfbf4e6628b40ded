"""The stores that are served, each made when it is first asked for, all below one temporary folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import clean_environment
from cripto.domain.clock import SystemClock
from cripto.domain.manifest import Manifest
from cripto.domain.release_version import ReleaseVersion
from cripto.market.importing import import_file
from cripto.market.lake import open_lake
from cripto.market.sample import sample_candles
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import random_walk

__all__ = ["CANDLES_EACH", "MANY", "Stores", "folder_of_real_candles", "many_symbols"]

MANY = 1000
"""Assets of the store of many."""

_DAILY = "daily_binance_spot.parquet"
CANDLES_EACH = 120
"""Candles of each of them."""


def many_symbols() -> list[str]:
    """The symbols of the store of many."""
    return [f"A{number:03}" for number in range(MANY)]


class Stores:
    """Stores as folders; every attribute is the folder, `url` and `settings` say how to serve one."""

    def __init__(self, folder: Path, real_candles: Path) -> None:
        self._folder = folder
        self._file = real_candles / _DAILY
        self.candles = ""

    @staticmethod
    def settings(store: Path) -> dict[str, str]:
        """The environment that serves ``store``."""
        return {"CRIPTO_STORE": store.as_uri()}

    @cached_property
    def real(self) -> Path:
        """Real daily candles, or the bundled sample, and a release trained on them."""
        store = self._folder / "real"
        lake = open_lake(store.as_uri())
        if self._file.exists():
            report = import_file(self._file, lake, now=datetime.now(UTC))
            assets = len({one.symbol for one in lake.series("1d")})
            self.candles = f"{self._file.name}: {report.rows:,} real daily candles of {assets} assets"
        else:
            candles = sample_candles()
            lake.upsert(candles)
            self.candles = f"the bundled sample: {len(candles):,} daily candles of 3 assets"
            print(f"REAL CANDLES MISSING: {self._file.name} is not where REAL_CANDLES says; using the sample")
        print(f"candles: {self.candles}; training a release on them", flush=True)
        command = [sys.executable, "-m", "cripto.cli", "train"]
        env = {**clean_environment(), **self.settings(store)}
        run = subprocess.run(command, env=env, cwd=self._folder, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Unmeasured(f"no release could be trained: {run.stderr[-500:]}")
        return store

    @cached_property
    def release(self) -> Manifest:
        """What the trained release says of itself."""
        registry = ReleaseRegistry(open_store(self.real.as_uri()))
        return registry.manifest(registry.resolve("1d", "1d"))

    @cached_property
    def many(self) -> Path:
        """Invented candles of `MANY` assets, served by the same release. Nothing is ever written to it."""
        return self.another_of_many("many")

    def another_of_many(self, name: str) -> Path:
        """A store like `many` of its own, to be written to."""
        store = self._folder / name
        shutil.copytree(self.real / "models", store / "models")
        open_lake(store.as_uri()).upsert(random_walk(many_symbols(), CANDLES_EACH))
        print(f"invented candles: {CANDLES_EACH} of each of {MANY} assets in the store {name!r}", flush=True)
        return store

    @cached_property
    def bare(self) -> Path:
        """The candles of `real` and the five joblib files alone: no release, as a plain training job leaves it."""
        store = self._folder / "bare"
        shutil.copytree(self.real / "candles", store / "candles")
        (store / "models").mkdir()
        for model in self.release.models:
            shutil.copy2(self.real / model.joblib.path, store / model.joblib.path)
        return store

    def twin_release(self, store: Path) -> tuple[ReleaseVersion, ReleaseVersion]:
        """Publish the same models once more under another version in ``store``; both versions, old one first."""
        objects = open_store(store.as_uri())
        registry, manifest = ReleaseRegistry(objects), self.release
        models: Mapping[str, ModelDraft] = {
            model.name: ModelDraft(
                joblib=objects.get(model.joblib.path).data,
                onnx=objects.get(model.onnx.path).data,
                estimator=model.estimator,
                parity=model.parity,
                metrics=model.metrics,
                calibration=model.calibration,
                ranges=model.ranges,
            )
            for model in manifest.models
        }
        draft = ReleaseDraft(
            version=manifest.release,
            created=manifest.created,
            interval=manifest.interval,
            horizon=manifest.horizon,
            features=manifest.features,
            models=models,
            files={Path(entry.path).name: objects.get(entry.path).data for entry in manifest.files},
            training=manifest.training,
            environment=manifest.environment,
            source_revision=manifest.source_revision,
            novelty=manifest.novelty,
            proofs=manifest.proofs,
        )
        twin = replace(draft, version=registry.next_version(SystemClock()))
        return manifest.release, registry.publish(twin).release


def folder_of_real_candles(beside: Path) -> Path:
    """The folder that REAL_CANDLES names, ``../shared/data`` beside the project by default."""
    return Path(os.environ.get("REAL_CANDLES", beside.parent / "shared" / "data"))
