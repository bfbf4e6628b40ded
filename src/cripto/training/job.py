"""The training job: one version of the lake in, one published release out."""

import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any, Final

import polars as pl

from cripto.domain.clock import Clock, rfc3339
from cripto.domain.feature_spec import FeatureSpec
from cripto.domain.interval import parse_interval
from cripto.domain.manifest import Manifest
from cripto.domain.novelty import Novelty
from cripto.errors import TrainingRefused, WriteConflict
from cripto.features import build_features, default_spec
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.registry import ModelDraft, ReleaseDraft, ReleaseRegistry
from cripto.registry.convert import Conversion, convert_models
from cripto.training.dataset import Dataset, dataset_of
from cripto.training.engine import Engine, LocalEngine
from cripto.training.final_fits import final_fits
from cripto.training.leaks import Builder, look_ahead, refuse_miracles
from cripto.training.model_card import MODEL_CARD_FILE, model_card
from cripto.training.novelty_fit import fit_novelty
from cripto.training.page import PAGE_FILE, page
from cripto.training.plan import STAGES, Progress, TrainingPlan, TrainingResult, silent
from cripto.training.probes import PROBES_FILE, probe_file, probe_rows
from cripto.training.promotion import promote
from cripto.training.scores import Evaluation, evaluate, rows_of_folds
from cripto.training.scores.reference import reference_of
from cripto.training.served import earlier_predictions, fit_numbers, served, together
from cripto.training.targets import HORIZON, rises
from cripto.training.walk_forward import Fold, out_of_fold, walk_forward

__all__ = ["EVALUATION_FILE", "Converter", "Drawer", "train"]

EVALUATION_FILE: Final = "evaluation.json"
"""Name of the evaluation report in a release."""

Converter = Callable[..., Mapping[str, Conversion]]
"""What `convert_models` is; tests may pass a twin that fails."""

Drawer = Callable[[Mapping[str, Any]], bytes]
"""What `page` is; tests that do not look at it need not wait for it."""

_LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "joblib", "polars", "onnx", "onnxruntime")
_ATTEMPTS: Final = 3
_NOTHING_LISTED: Final = Listings()
_CANDLES, _FEATURES, _LEAKS, _EARLIER, _FOLDS, _SCORES, _FINAL, _CONVERSION, _PUBLICATION = STAGES


def train(
    lake: CandleLake,
    registry: ReleaseRegistry,
    plan: TrainingPlan,
    clock: Clock,
    report: Progress = silent,
    convert: Converter = convert_models,
    listings: Listings = _NOTHING_LISTED,
    build: Builder = build_features,
    draw: Drawer = page,
    engine: Engine | None = None,
) -> TrainingResult:
    """Score the five models walking forward through the lake's candles, fit them on all rows and publish.

    ``listings`` say in which quotes an asset is not traded any more. ``engine`` says where the work is done, on
    ``plan.jobs`` threads here if not said.

    Equal candles, seed, code and machine give equal ONNX digests and joblib bytes. Nothing is written before
    everything is proven, and the manifest is written last: a run killed anywhere leaves no half release. The
    first release of an interval is promoted; a later one if the plan asks and it is not worse than the current
    one where the two can be compared.

    Raises `TrainingRefused` when the candles do not do or the future leaks into the scores, `ModelRefused` when
    an ONNX form disagrees with its source, and what the store raises.
    """
    interval, spec = parse_interval(plan.interval), default_spec()
    report(_CANDLES, 0, 1)
    engine = engine or LocalEngine(plan.jobs)
    reading = engine.read(lake, interval, plan.quotes, listings)
    candles = reading.candles
    described = _describe(candles, reading.version)
    report(_CANDLES, 1, 1)

    report(_FEATURES, 0, 1)
    dataset = dataset_of(engine.label(reading, spec, interval, build), candles, spec)
    _check_classes(dataset)
    folds = walk_forward(dataset.time, interval, folds=plan.folds, window=plan.window)
    report(_FEATURES, 1, 1)

    report(_LEAKS, 0, 1)
    look_ahead(candles, spec, interval, build, seed=plan.seed)
    quotes = dict(candles.select("symbol", "quote").unique().sort("symbol").iter_rows())
    del candles, reading  # hundreds of megabytes with a million rows, and no longer needed
    report(_LEAKS, 1, 1)

    def told(stage: str) -> Callable[[int, int], None]:
        return lambda done, total: report(stage, done, total)

    report(_EARLIER, 0, 1)
    earlier = earlier_predictions(plan.recipes, dataset, folds[0], interval, plan.seed, engine, told(_EARLIER))
    if earlier is None:
        report(_EARLIER, 1, 1)
    predictions = out_of_fold(plan.recipes, dataset, folds, plan.seed, engine, told(_FOLDS))
    report(_SCORES, 0, 1)
    walked = served(dataset, predictions, earlier)
    numbers = fit_numbers(dataset, together(predictions, earlier))
    evaluation = evaluate(
        rows_of_folds(dataset, walked.predictions, interval, walked.half_widths), plan.seed, plan.fee
    )
    refuse_miracles(evaluation.models)
    metrics = evaluation.summaries()
    report(_SCORES, 1, 1)

    report(_FINAL, 0, len(plan.recipes))
    fitted = final_fits(
        plan.recipes, dataset, plan.seed, engine, lambda done: report(_FINAL, done, len(plan.recipes))
    )

    report(_CONVERSION, 0, 1)
    joblibs = {name: model.joblib for name, model in fitted.items()}
    conversions = convert(joblibs, dataset.features[probe_rows(dataset)], spec.names)
    report(_CONVERSION, 1, 1)

    report(_PUBLICATION, 0, 2)
    summary = dataset.describe()
    training = {
        **summary,
        "assets": {name: {"quote": quotes[name], "rows": rows} for name, rows in summary["assets"].items()},
        "left_out": sorted(quotes.keys() - summary["assets"].keys()),
        "candles": described,
        "interval": plan.interval,
        "quotes": list(plan.quotes),
        "seed": plan.seed,
        "target": f"log return of the next candle ({HORIZON} ahead)",
        "hold_out": _newest(folds),
        "calibration": numbers.to_json(),
        "walk_forward": {"window": plan.window, "folds": [fold.to_json() for fold in folds]},
        "reference": reference_of(dataset.log_return, dataset.symbol).to_json(),
        "sample": {
            name: {"max_rows": plan.recipes[name].max_rows, "rows": model.rows} for name, model in fitted.items()
        },
    }
    models = {
        name: ModelDraft(
            joblib=joblibs[name],
            onnx=conversions[name].onnx,
            estimator=conversions[name].estimator,
            parity=conversions[name].parity,
            metrics=metrics[name],
            calibration=numbers.calibrations.get(name),
            ranges=numbers.ranges.get(name),
        )
        for name in fitted
    }
    novelty = fit_novelty(dataset.features, dataset.names)
    contents = _Contents(
        spec,
        models,
        training,
        evaluation,
        probe_file(dataset, {name: model.told for name, model in fitted.items()}),
        novelty,
        draw,
    )
    manifest = _publish(registry, contents, plan, clock)
    report(_PUBLICATION, 1, 2)
    promoted, reason = promote(registry, manifest, plan.default_interval or plan.interval, plan.promote, clock)
    report(_PUBLICATION, 2, 2)
    return TrainingResult(manifest, promoted, reason)


def _describe(candles: pl.DataFrame, version: int) -> dict[str, Any]:
    return {
        "version": version,
        "rows": len(candles),
        "first": rfc3339(candles["time"].min()),  # type: ignore[arg-type]
        "last": rfc3339(candles["time"].max()),  # type: ignore[arg-type]
        "sources": candles["source"].unique().sort().to_list(),
    }


def _newest(folds: tuple[Fold, ...]) -> dict[str, Any]:
    """The newest fold as the hold-out that releases had alone before, and still tell in the same words."""
    return {key: value for key, value in folds[-1].to_json().items() if key != "number"}


def _check_classes(dataset: Dataset) -> None:
    rose = rises(dataset.log_return)
    if rose.all() or not rose.any():
        which = "every one" if rose.all() else "none"
        raise TrainingRefused(
            f"the price rises after {which} of {len(rose)} rows: there is one class only, nothing to tell apart"
        )


@dataclass(frozen=True, slots=True)
class _Contents:
    """All of a release but its version."""

    features: FeatureSpec
    models: Mapping[str, ModelDraft]
    training: Mapping[str, Any]
    evaluation: Evaluation
    probes: bytes
    novelty: Novelty | None
    draw: Drawer

    def draft(self, registry: ReleaseRegistry, plan: TrainingPlan, clock: Clock) -> ReleaseDraft:
        """The release under the version that is free now."""
        version = registry.next_version(clock)
        evaluation = {
            "release": str(version),
            "interval": plan.interval,
            "kind": "walk-forward",
            **self.training["walk_forward"],
            **self.evaluation.to_json(),
        }
        card = model_card(
            str(version), plan.interval, self.features.lookback, self.training, self.evaluation.models
        )
        return ReleaseDraft(
            version=version,
            created=clock.now(),
            interval=plan.interval,
            horizon=HORIZON,
            features=self.features,
            models=self.models,
            files={
                PAGE_FILE: self.draw(evaluation),
                EVALUATION_FILE: (
                    json.dumps(evaluation, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
                ).encode(),
                MODEL_CARD_FILE: card,
                PROBES_FILE: self.probes,
            },
            training=self.training,
            environment=_environment(),
            source_revision=plan.source_revision,
            novelty=self.novelty,
        )


def _publish(registry: ReleaseRegistry, contents: _Contents, plan: TrainingPlan, clock: Clock) -> Manifest:
    attempts = 1
    while True:
        try:
            return registry.publish(contents.draft(registry, plan, clock))
        except WriteConflict:
            # Another run took that very version: the next free one is ours, unless this goes on and on.
            if attempts == _ATTEMPTS:
                raise
            attempts += 1


def _environment() -> dict[str, str]:
    """What may move the last bits of a fit: the interpreter, the processor's family and these libraries."""
    libraries = {name: installed(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "machine": platform.machine(), **libraries}
