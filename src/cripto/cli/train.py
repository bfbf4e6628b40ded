"""``cripto train``: fit, evaluate, publish."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cripto.cli.console import output, print_json, progress_bar, table
from cripto.cli.options import AsJson, OfInterval
from cripto.cli.wiring import Installation, installation

if TYPE_CHECKING:
    from rich.table import Table

    from cripto.training import TrainingResult

__all__ = ["score_table", "show", "source_revision", "to_json", "train", "train_release"]


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
    interval: OfInterval = None,
    as_json: AsJson = False,
) -> None:
    """Train the five models on the store's candles, score them walking forward, and publish a release.

    The first release of a store and interval is promoted by itself. Exit code 3 if the candles do not do.
    """
    result = train_release(installation(interval), promote=promote, seed=seed, jobs=jobs, folds=folds)
    if as_json:
        print_json(to_json(result))
    else:
        show(result)


def train_release(
    parts: Installation,
    *,
    promote: bool = False,
    seed: int | None = None,
    jobs: int | None = None,
    folds: int | None = None,
) -> "TrainingResult":
    """Train with a progress display and return what came of it."""
    from cripto.training import TrainingPlan, train

    parts.registry.check_signer()  # now, not after an hour of fitting
    chosen: dict[str, Any] = {}
    if seed is not None:
        chosen["seed"] = seed
    if jobs is not None:
        chosen["jobs"] = jobs
    if folds is not None:
        chosen["folds"] = folds
    plan = TrainingPlan(
        interval=parts.interval,
        default_interval=parts.settings.interval,
        quotes=parts.settings.quotes,
        promote=promote,
        source_revision=source_revision(),
        **chosen,
    )
    with progress_bar() as bars:
        tasks = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        return train(parts.lake, parts.registry, plan, parts.clock, report, listings=parts.listings.read())


def to_json(result: "TrainingResult") -> dict[str, Any]:
    """What ``--json`` prints."""
    manifest = result.manifest
    return {
        "release": str(manifest.release),
        "promoted": result.promoted,
        "reason": result.reason,
        "interval": manifest.interval,
        "models": {name: dict(metrics) for name, metrics in result.metrics.items()},
        "training": dict(manifest.training),
    }


def show(result: "TrainingResult") -> None:
    """Print the final table: each model beside its strongest baseline, walking forward."""
    manifest = result.manifest
    output.print(score_table(result.metrics, "walking forward, against the strongest baseline"))
    training = manifest.training
    output.print(
        f"release {manifest.release}: {training['rows']} rows of {len(training['assets'])} assets, "
        f"interval {manifest.interval}; {'promoted' if result.promoted else 'not promoted'}: {result.reason}",
        markup=False,
    )
    if training["left_out"]:
        output.print(
            f"left out, for too short a history without a gap or a price that stands still:"
            f" {', '.join(training['left_out'])}",
            markup=False,
        )


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
