"""The training job: one version of the lake in, one published release out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import polars as pl

from cripto.domain.clock import Clock, rfc3339
from cripto.domain.interval import parse_interval
from cripto.errors import TrainingRefused
from cripto.features import build_features, default_spec
from cripto.market.lake import CandleLake
from cripto.market.listings import Listings
from cripto.registry import ModelDraft, ReleaseRegistry
from cripto.registry.convert import Conversion, convert_models
from cripto.training.challenge import challenge, champion_of
from cripto.training.contents import Contents, Drawer, publish
from cripto.training.dataset import Dataset, dataset_of
from cripto.training.engine import Engine, LocalEngine
from cripto.training.final_fits import final_fits
from cripto.training.leaks import Builder, refuse_miracles
from cripto.training.not_closed import NotClosed, not_closed
from cripto.training.novelty_fit import fit_novelty
from cripto.training.page import page
from cripto.training.plan import SEARCH, STAGES, Progress, TrainingPlan, TrainingResult, silent
from cripto.training.probes import probe_file, probe_rows
from cripto.training.promotion import outlook, promote
from cripto.training.proofs import ground, prove
from cripto.training.scores import evaluate, rows_of_folds
from cripto.training.scores.reference import reference_of
from cripto.training.search import rows_before, search
from cripto.training.served import Walk, earlier_predictions, fit_numbers, served, together
from cripto.training.targets import HORIZON, rises
from cripto.training.walk_forward import Fold, out_of_fold, walk_forward

__all__ = ["Converter", "train"]

Converter = Callable[..., Mapping[str, Conversion]]
"""What `convert_models` is; tests may pass a twin that fails."""

_NOTHING_LISTED: Final = Listings()
_CANDLES, _FEATURES, _LEAKS, _EARLIER, _FOLDS, _SCORES, _FINAL, _CONVERSION, _PROOFS, _CHALLENGE, _PUBLICATION = (
    STAGES
)


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

    ``listings`` say in which quotes an asset is not traded any more. Candles that close after ``clock``'s now are
    left out, and told in the manifest. ``engine`` says where the work is done, on ``plan.jobs`` threads here if
    not said.

    Equal candles, seed, code and machine give equal ONNX digests and joblib bytes. Nothing is written before
    everything is proven, and the manifest is written last: a run killed anywhere leaves no half release. A plan
    that asks to search has it done before the first fold's test part, and what won is scored and published. The
    first release of an interval is promoted; a later one if the plan asks and it is not worse than the current
    one where the two can be compared.

    Raises `TrainingRefused` when the candles do not do or a proof fails, `ModelRefused` when
    an ONNX form disagrees with its source, and what the store raises; before anything is read
    what `ReleaseRegistry.standing` raises, or `ReleaseRegistry.movable` if the plan asks to promote.
    """
    interval, spec = parse_interval(plan.interval), default_spec()
    default_interval = plan.default_interval or plan.interval
    # now, not after an hour of fitting
    look = registry.movable if plan.promote else registry.standing
    standing = look(plan.interval, default_interval)
    report(_CANDLES, 0, 1)
    engine = engine or LocalEngine(plan.jobs)
    now = clock.now()
    reading = engine.read(lake, interval, plan.quotes, listings, interval.floor(now))
    candles = reading.candles
    described = _describe(candles, reading.version, not_closed(lake, interval, now, reading.version))
    report(_CANDLES, 1, 1)

    report(_FEATURES, 0, 1)
    dataset = dataset_of(engine.label(reading, spec, interval, build), candles, spec)
    _check_classes(dataset)
    folds = walk_forward(dataset.time, interval, folds=plan.folds, window=plan.window)
    report(_FEATURES, 1, 1)

    report(_LEAKS, 0, 1)
    grounded = ground(candles, dataset, folds, spec, interval, build, plan.seed)
    champion = champion_of(registry, plan.interval, default_interval, candles) if plan.promote else None
    quotes = dict(candles.select("symbol", "quote").unique().sort("symbol").iter_rows())
    del candles, reading  # hundreds of megabytes with a million rows, and no longer needed
    report(_LEAKS, 1, 1)

    def told(stage: str) -> Callable[[int, int], None]:
        return lambda done, total: report(stage, done, total)

    found = None
    if plan.search is not None:
        window = rows_before(dataset, folds[0].train.stop)  # what a release is scored on is not searched in
        found = search(plan.search, plan.recipes, window, interval, plan.seed, engine, told(SEARCH), plan.window)
        plan = replace(plan, recipes=found.recipes)

    report(_EARLIER, 0, 1)
    earlier = earlier_predictions(plan.recipes, dataset, folds[0], interval, plan.seed, engine, told(_EARLIER))
    if earlier is None:
        report(_EARLIER, 1, 1)
    predictions = out_of_fold(plan.recipes, dataset, folds, plan.seed, engine, told(_FOLDS))
    report(_SCORES, 0, 1)
    walked = served(dataset, predictions, earlier)
    walk = Walk(plan.recipes, dataset, interval, plan.seed, predictions, earlier, walked)
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

    def converted(joblibs: Mapping[str, bytes]) -> Mapping[str, Conversion]:
        return convert(joblibs, dataset.features[probe_rows(dataset)], spec.names)

    report(_CONVERSION, 0, 1)
    joblibs = {name: model.joblib for name, model in fitted.items()}
    conversions = converted(joblibs)
    report(_CONVERSION, 1, 1)

    proofs = prove(grounded, walk, fitted, conversions, converted, told(_PROOFS))

    report(_CHALLENGE, 0, 1)
    compared = None
    if champion is not None:
        compared = challenge(champion, walk, metrics, engine, told(_CHALLENGE))
    if compared is None or compared.models is None:
        report(_CHALLENGE, 1, 1)

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
    if found is not None:
        training["search"] = found.summary()
    training["promotion"] = outlook(standing, plan.interval, plan.promote, compared)
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
    contents = Contents(
        spec,
        models,
        training,
        evaluation,
        probe_file(dataset, {name: model.told for name, model in fitted.items()}),
        novelty,
        proofs,
        draw,
        found,
    )
    manifest = publish(registry, contents, plan, clock)
    report(_PUBLICATION, 1, 2)
    promoted, reason = promote(registry, manifest, default_interval, plan.promote, clock, compared)
    report(_PUBLICATION, 2, 2)
    return TrainingResult(manifest, promoted, reason, compared)


def _describe(candles: pl.DataFrame, version: int, left_out: NotClosed) -> dict[str, Any]:
    described = {
        "version": version,
        "rows": len(candles),
        "first": rfc3339(candles["time"].min()),  # type: ignore[arg-type]
        "last": rfc3339(candles["time"].max()),  # type: ignore[arg-type]
        "sources": candles["source"].unique().sort().to_list(),
    }
    return {**described, "not_closed": left_out.to_json()} if left_out else described


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
