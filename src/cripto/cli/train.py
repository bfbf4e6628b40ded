"""``cripto train``: fit, evaluate, publish."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cripto.cli.console import output, print_json, progress_bar, table
from cripto.cli.engines import EngineName, OfEngine, OfMaster, opened_engine
from cripto.cli.options import AsJson, OfInterval
from cripto.cli.wiring import Installation, installation
from cripto.domain.interval import parse_interval

if TYPE_CHECKING:
    from rich.table import Table

    from cripto.training import Progress, TrainingResult
    from cripto.training.engine import Engine
    from cripto.training.retraining import NewCandles

__all__ = [
    "newly_closed",
    "resumed",
    "score_table",
    "search_table",
    "show",
    "source_revision",
    "to_json",
    "train",
    "train_release",
]


def train(
    promote: Annotated[
        bool, typer.Option("--promote", help="Serve the new release, if it is not worse than the current one.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random; each run uses the same by default.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Models fitted side by side; one a core by default.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, max=50, help="Stretches of time the scores come from; five by default.")
    ] = None,
    if_new: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Train only if so many candle times are new since the newest release; else promote that one, if"
            " its own run was killed before it could, and end with code 0.",
        ),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=500,
            metavar="N",
            help="First try N other settings of each model, on rows before those it is scored on; what is surely"
            " better is trained with.",
        ),
    ] = None,
    engine: OfEngine = EngineName.LOCAL,
    spark_master: OfMaster = None,
    interval: OfInterval = None,
    as_json: AsJson = False,
) -> None:
    """Train the five models on the store's candles, score them walking forward, and publish a release.

    The first release of a store and interval is promoted by itself. Exit code 3 if the candles do not do, or a
    proof fails.
    """
    parts = installation(interval)
    if if_new is not None and not (found := newly_closed(parts, if_new)).enough:
        late = resumed(parts, found, promote)
        if as_json:
            print_json(
                {
                    "trained": False,
                    "promoted": None if late is None else str(found.newest),
                    "reason": str(found) if late is None else f"{found}; {late}",
                    "new_candles": found.to_json(),
                }
            )
        else:
            output.print(f"not trained: {found}{'' if late is None else f'; {late}'}", markup=False)
        return
    with opened_engine(engine, spark_master) as chosen:
        result = train_release(
            parts, promote=promote, seed=seed, jobs=jobs, folds=folds, search=search, engine=chosen
        )
    if as_json:
        print_json(to_json(result))
    else:
        show(result)


def newly_closed(parts: Installation, needed: int) -> "NewCandles":
    """How many candle times are new to the newest release, and whether they are ``needed``."""
    from cripto.training.retraining import new_candles

    return new_candles(
        parts.lake,
        parts.registry,
        parse_interval(parts.interval),
        parts.settings.interval,
        parts.settings.quotes,
        needed,
        parts.clock.now(),
        parts.listings.read(),
    )


def resumed(parts: Installation, found: "NewCandles", promote: bool) -> str | None:
    """Finish the promotion of the newest release, where its run was killed before; what was done, in words."""
    from cripto.training.promotion import resume

    if found.newest is None:
        return None
    why = resume(parts.registry, found.newest, parts.settings.interval, promote, parts.clock)
    return None if why is None else f"promoted {found.newest}, whose run ended before it could: {why}"


@contextmanager
def _bars() -> "Iterator[Progress]":
    """A display of a bar for each stage."""
    with progress_bar() as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def train_release(
    parts: Installation,
    *,
    promote: bool = False,
    seed: int | None = None,
    jobs: int | None = None,
    folds: int | None = None,
    search: int | None = None,
    engine: "Engine | None" = None,
    watched: "Callable[[], AbstractContextManager[Progress]]" = _bars,
) -> "TrainingResult":
    """Train with a display of progress, ``watched``, and return what came of it."""
    from cripto.training import SearchPlan, TrainingPlan, train

    parts.registry.check_signer()  # now, not after an hour of fitting
    chosen: dict[str, Any] = {}
    if seed is not None:
        chosen["seed"] = seed
    if jobs is not None:
        chosen["jobs"] = jobs
    if folds is not None:
        chosen["folds"] = folds
    if search is not None:
        chosen["search"] = SearchPlan(search)
    plan = TrainingPlan(
        interval=parts.interval,
        default_interval=parts.settings.interval,
        quotes=parts.settings.quotes,
        promote=promote,
        source_revision=source_revision(),
        **chosen,
    )
    with watched() as report:
        listings = parts.listings.read()
        return train(parts.lake, parts.registry, plan, parts.clock, report, listings=listings, engine=engine)


def to_json(result: "TrainingResult") -> dict[str, Any]:
    """What ``--json`` prints."""
    manifest = result.manifest
    return {
        "trained": True,
        "release": str(manifest.release),
        "promoted": result.promoted,
        "reason": result.reason,
        "challenge": None if result.challenge is None else result.challenge.to_json(),
        "interval": manifest.interval,
        "models": {name: dict(metrics) for name, metrics in result.metrics.items()},
        "training": dict(manifest.training),
    }


def show(result: "TrainingResult") -> None:
    """Print the final table: each model beside its strongest baseline, walking forward."""
    from cripto.training.not_closed import NotClosed

    manifest = result.manifest
    if (found := manifest.training.get("search")) is not None:
        output.print(search_table(found))
    output.print(score_table(result.metrics, "walking forward, against the strongest baseline"))
    training = manifest.training
    output.print(
        f"release {manifest.release}: {training['rows']} rows of {len(training['assets'])} assets, "
        f"interval {manifest.interval}; {'promoted' if result.promoted else 'not promoted'}: {result.reason}",
        markup=False,
    )
    if (early := training["candles"].get("not_closed")) is not None:
        output.print(str(NotClosed(early["candles"], tuple(early["assets"]))), markup=False)
    if training["left_out"]:
        output.print(
            f"left out, for too short a history without a gap or a price that stands still:"
            f" {', '.join(training['left_out'])}",
            markup=False,
        )


def search_table(found: Mapping[str, Any]) -> "Table":
    """By model how many candidates were tried, what the best gained on the present settings, and if surely."""
    level = f"{100 * found['rule']['level_for_all_tried']:.2f} % interval"
    title = f"search: {found['budget']['tried']} candidates before {found['data']['last']}, seed {found['seed']}"
    rows = table("model", "tried>", "best gains>", level, "verdict", "settings", title=title)
    for name, model in found["models"].items():
        best = model["winner"] or model["best"]
        interval = None if best is None else best["interval_for_all_tried"]
        now = model["present"]["settings"]
        rows.add_row(
            name,
            str(model["tried"]),
            "-" if best is None else f"{best['improvement']:+.4f}",
            "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}",
            model["verdict"],
            "" if best is None else ", ".join(f"{k} {v}" for k, v in best["settings"].items() if v != now.get(k)),
        )
    return rows


def score_table(models: Mapping[str, Mapping[str, Any]], title: str) -> "Table":
    """Each model's score, its baseline's, its skill with the interval, and the verdict."""
    rows = table("model", "score>", "baseline>", "skill>", "95 % interval", "verdict", title=title)
    for name, metrics in models.items():
        score = "rmse" if "rmse" in metrics else "brier"
        interval = metrics["intervals"]["skill"]
        rows.add_row(
            name,
            f"{score} {metrics[score]:.5f}",
            f"{metrics['baseline']['name']} {metrics['baseline'][score]:.5f}",
            "-" if metrics["skill"] is None else f"{metrics['skill']:+.4f}",
            "-" if interval is None else f"{interval[0]:+.4f} to {interval[1]:+.4f}",
            metrics["verdict"],
        )
    return rows


def source_revision() -> str | None:
    """The commit of a checkout this package runs from, ``-dirty`` if it was changed; ``None`` if it is none."""
    git, here = shutil.which("git"), Path(__file__).resolve().parents[3]
    if git is None or not (here / ".git").exists():
        return None
    result = subprocess.run(  # noqa: S603 - a fixed command on our own folder
        [git, "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or None
