"""Toy releases and lakes with behaviours: slow, failing, not a number, of the wrong shape, down."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import onnx
import polars as pl
from onnx import TensorProto, helper, numpy_helper

from cripto.domain.calibration import Calibration
from cripto.domain.clock import FixedClock
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import INTERVALS
from cripto.domain.manifest import Manifest
from cripto.domain.model_name import MODEL_NAMES, tipo_of
from cripto.domain.novelty import FARTHEST, Novelty
from cripto.domain.ranges import Ranges, ScaleTerm
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import ModelRefused
from cripto.features import default_spec
from cripto.forecasting.release import LoadedRelease, release_of
from cripto.forecasting.runtime import Matrix, Vector
from cripto.forecasting.service import PredictionService
from cripto.market.lake import MemoryLake
from cripto.market.listings import ListingBook
from cripto.market.source import Pair
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.candles import random_walk
from tests.doubles.releases import toy_proofs

DAILY = INTERVALS["1d"]
VERSION = "20250729-2130"
FIRST = datetime(2025, 1, 1, tzinfo=UTC)
COUNT = 80
LAST_CLOSE = FIRST + COUNT * DAILY.step
SPEC = default_spec()
RANGES = Ranges(0.0, (ScaleTerm("volatility_20", 1.0, True),), (1.5, 3.0))
"""A range as wide as the last twenty returns: one and a half of their volatility, and three."""

NOVELTY = Novelty(
    ("volatility_20", "return_1"), (0.03, 0.0), (0.02, 0.03), ((0.0, 0.0), (1.0, 0.5), (FARTHEST, 1.0))
)

NUMBERS: Mapping[str, tuple[Calibration | None, Ranges | None]] = {
    "classifier_log": (Calibration(0.0, 1.0), None),
    "regressor_lin": (None, RANGES),
}
"""What the toy releases know beside their graphs: one classifier is calibrated, one regressor has ranges."""


class ToyModel:
    """Gives ``value`` for every row."""

    def __init__(self, name: str, value: float | None = None) -> None:
        self.name = name
        self.value = value if value is not None else (0.01 if name.startswith("regressor") else 0.75)
        self.batches: list[int] = []

    def predict(self, matrix: Matrix) -> Vector:
        self.batches.append(len(matrix))
        return np.full(len(matrix), self.value)


class SlowModel(ToyModel):
    """Waits until it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.entered = threading.Event()
        self.release = threading.Event()

    def predict(self, matrix: Matrix) -> Vector:
        self.entered.set()
        assert self.release.wait(120)
        return super().predict(matrix)


class FailingModel(ToyModel):
    """Fails ``times`` times, then works."""

    def __init__(self, name: str, times: int = 1) -> None:
        super().__init__(name)
        self.times = times

    def predict(self, matrix: Matrix) -> Vector:
        if self.times:
            self.times -= 1
            raise ModelRefused(self.name, "a run failed")
        return super().predict(matrix)


class WideModel(ToyModel):
    """Gives two numbers a row."""

    def predict(self, matrix: Matrix) -> Vector:
        return np.zeros((len(matrix), 2))


class FaultyLake(MemoryLake):
    """A lake that fails with ``fault`` while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Exception | None = None
        self.reads = 0

    def version(self) -> int | None:
        if self.fault is not None:
            raise self.fault
        return super().version()

    def recent(self, interval: str, candles: int) -> pl.DataFrame:
        self.reads += 1
        return super().recent(interval, candles)


class FaultyRegistry(ReleaseRegistry):
    """A registry that fails with ``fault`` while it is set, and counts what it resolves."""

    fault: Exception | None = None
    resolved = 0

    def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
        self.resolved += 1
        if self.fault is not None:
            raise self.fault
        return super().resolve(interval, default_interval, pin)


def constant_onnx(
    name: str,
    value: float | None = None,
    *,
    n_features: int = len(SPEC.features),
    input_name: str = "features",
    output_name: str | None = None,
    dtype: int = TensorProto.DOUBLE,
    width: int = 1,
) -> bytes:
    """A graph of the contract: the mean of the features times nothing, plus ``value``."""
    if value is None:
        value = 0.01 if tipo_of(name) == "regressor" else 0.75
    numpy_type = helper.tensor_dtype_to_np_dtype(dtype)
    output = output_name or ("log_return" if tipo_of(name) == "regressor" else "probability")
    weights = numpy_helper.from_array(np.zeros((n_features, width), numpy_type), "weights")
    offset = numpy_helper.from_array(np.full((width,), value, numpy_type), "offset")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [input_name, "weights"], ["product"]),
            helper.make_node("Add", ["product", "offset"], [output]),
        ],
        name,
        [helper.make_tensor_value_info(input_name, dtype, [None, n_features])],
        [helper.make_tensor_value_info(output, dtype, [None, width])],
        [weights, offset],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _numbers(name: str, spec: FeatureSpec) -> tuple[Calibration | None, Ranges | None]:
    calibration, ranges = NUMBERS.get(name, (None, None))
    return calibration, ranges if ranges is not None and set(ranges.features) <= set(spec.names) else None


def draft(
    version: str = VERSION,
    *,
    models: Mapping[str, bytes] | None = None,
    spec: FeatureSpec = SPEC,
    interval: str = "1d",
    horizon: int = 1,
    files: Mapping[str, bytes] | None = None,
) -> ReleaseDraft:
    """A release of constants; ``models`` replaces graphs by name."""
    graphs = {name: constant_onnx(name, n_features=len(spec.features)) for name in MODEL_NAMES} | dict(
        models or {}
    )
    parsed = ReleaseVersion.parse(version)
    drafts = {
        name: ModelDraft(b"never opened", graph, "toy", {}, {}, *_numbers(name, spec))
        for name, graph in graphs.items()
    }
    return ReleaseDraft(
        version=parsed,
        created=parsed.time,
        interval=interval,
        horizon=horizon,
        features=spec,
        models=drafts,
        files=dict(files or {}),
        novelty=NOVELTY if set(NOVELTY.features) <= set(spec.names) else None,
        proofs=toy_proofs(drafts, spec),
    )


def toy_release(*models: ToyModel, spec: FeatureSpec = SPEC, version: str = VERSION) -> LoadedRelease:
    """A loaded release of toy models; those not given are well-behaved ones."""
    given = {model.name: model for model in models}
    manifest: Manifest = draft(version, spec=spec).seal()[0]
    return release_of(manifest, [given.get(name) or ToyModel(name) for name in MODEL_NAMES])


def candles(*symbols: str, count: int = COUNT, source: str = "binance", quote: str = "USDT") -> pl.DataFrame:
    """Daily candles of every symbol up to `LAST_CLOSE`, shorter ones ending there too."""
    start = LAST_CLOSE - count * DAILY.step
    return random_walk(symbols, count, DAILY, start, source=source, quote=quote)


class House:
    """A service with its store, lake and clock, all in memory."""

    def __init__(self, *symbols: str, publish: bool = True, pin: str | None = None) -> None:
        self.store = MemoryStore()
        self.registry = FaultyRegistry(self.store)
        self.lake = FaultyLake()
        self.clock = FixedClock(LAST_CLOSE + timedelta(hours=1))
        if symbols:
            self.lake.upsert(candles(*symbols))
        if publish:
            self.registry.publish(draft())
        self.book = ListingBook(self.store)
        self.service = PredictionService(
            self.registry,
            self.lake,
            clock=self.clock,
            interval="1d",
            quotes=("USDT", "USD"),
            pin=pin,
            listings=self.book,
        )

    def lists(self, *pairs: Pair, exchange: str = "binance") -> None:
        """Have an exchange tell its whole list."""
        self.book.update(lambda known: known.seen(exchange, pairs, self.clock.now()))
