"""``cripto evaluate``: score a release on candles it has not seen."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cripto.cli.console import errors, output, print_json, progress_bar
from cripto.cli.options import AsJson, OfInterval
from cripto.cli.train import score_table
from cripto.cli.wiring import Installation, installation
from cripto.domain.interval import parse_interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

    from cripto.domain.manifest import Manifest

__all__ = ["evaluate"]


def evaluate(
    release: Annotated[
        str | None, typer.Option(metavar="VERSAO", help="The release; the promoted one by default.")
    ] = None,
    candles: Annotated[
        Path | None, typer.Option(help="CSV or Parquet file of candles; the store's newer ones by default.")
    ] = None,
    interval: OfInterval = None,
    fee: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of each purchase and sale, for the illustration.")
    ] = 0.001,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file, as one page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score a release on candles it never saw: what it serves, against baselines, with intervals and a verdict.

    Of the assets it was trained on, candles after the last one trained on count; of others, all. A file needs the
    candles before those too, as many as features look back on. Nothing is stored. Exit code 2 if the file cannot
    be used or holds nothing new.
    """
    from cripto.forecasting.release import load_release
    from cripto.training.plan import SEED
    from cripto.training.unseen import score_unseen

    if html is not None and not html.parent.is_dir():
        raise InvalidInput(f"{html}: there is no folder {html.parent}")
    parts = installation()
    step = parse_interval(interval or parts.settings.interval)
    version = (
        ReleaseVersion.parse(release)
        if release is not None
        else parts.registry.resolve(step.name, parts.settings.interval, parts.settings.pin(step.name))
    )
    manifest = parts.registry.manifest(version)
    if interval is not None and manifest.interval != step.name:
        raise InvalidInput(f"release {version} is of {manifest.interval} candles, not {step.name}")
    loaded = load_release(parts.registry, version)
    rows, source = _from_store(parts, manifest) if candles is None else _from_file(parts, manifest, candles)
    with progress_bar() as bars:
        task = bars.add_task("assets", total=None)
        scores = score_unseen(
            manifest,
            loaded,
            rows,
            SEED,
            fee,
            earlier=candles is not None,
            report=lambda done, total: bars.update(task, completed=done, total=total),
        )
    report = {"release": str(version), "interval": manifest.interval, "candles": source, **scores.to_json()}
    if html is not None:
        _write_page(html, report)
    if as_json:
        print_json(report)
        return
    scored = scores.evaluation.scored
    output.print(
        score_table(
            scores.evaluation.models,
            f"release {version} on {scored['rows']} rows, {scored['days']} days it never saw",
        )
    )
    for name, model in scores.evaluation.models.items():
        if model["reason"] is not None:
            output.print(f"{name}: {model['verdict']}: {model['reason']}", markup=False)
    counted = ", ".join(f"{count} of {name}" for name, count in scores.rows.items() if count)
    output.print(f"rows scored: {counted}; {scores.trained_on} it was trained on left out", markup=False)
    for warning in scores.warnings:
        errors.print(f"mind: {warning}", markup=False)


def _from_store(parts: Installation, manifest: "Manifest") -> "tuple[pl.DataFrame, dict[str, Any]]":
    """The store's closed candles from as far back as the first unseen row needs, and where they are from."""
    from cripto.market.selection import asset_series
    from cripto.training.unseen import seen_by

    version = parts.lake.version()
    until = parse_interval(manifest.interval).floor(parts.clock.now())
    since = seen_by(manifest).context(manifest)
    if version is None:
        raise InvalidInput("there are no candles in the store: import or fetch some, or name a file (--candles)")
    found = parts.lake.read(manifest.interval, since=since, until=until, version=version)
    quotes = tuple(manifest.training.get("quotes", parts.settings.quotes))
    return asset_series(found, quotes, parts.listings.read()), {"store": True, "version": version}


def _from_file(parts: Installation, manifest: "Manifest", path: Path) -> "tuple[pl.DataFrame, dict[str, Any]]":
    """The file's good candles, and what became of the others."""
    from cripto.market.importing import import_file
    from cripto.market.lake import MemoryLake
    from cripto.market.selection import asset_series

    lake = MemoryLake()
    report = import_file(path, lake, now=parts.clock.now(), default_quote=parts.settings.quotes[0])
    if report.interval != manifest.interval:
        raise InvalidInput(f"{path}: candles of {report.interval}; the release is of {manifest.interval}")
    quotes = tuple(manifest.training.get("quotes", parts.settings.quotes))
    source = {
        "file": path.name,
        "rows": report.rows,
        "quarantined": report.quarantined,
        "symbols": len(report.symbols),
    }
    return asset_series(lake.read(manifest.interval), quotes), source


def _write_page(path: Path, report: dict[str, Any]) -> None:
    """Whole or not at all: it is written aside first."""
    from cripto.training.page import page

    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        aside.write_bytes(page(report))
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise InvalidInput(f"{path}: {error.strerror or error}") from error
