"""``cripto candles``: import and derive candles, and keep their table quick to read."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cripto.cli.candle_check import check
from cripto.cli.console import errors, output, print_json, progress_bar
from cripto.cli.exits import CALLER, FOUND
from cripto.cli.fetch import fetch
from cripto.cli.options import AsJson
from cripto.cli.wiring import installation
from cripto.domain.interval import Interval, parse_interval
from cripto.errors import InvalidInput

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["build"]

_SHOWN = 10


def build() -> typer.Typer:
    """Return the commands of the group."""
    group = typer.Typer(no_args_is_help=True, help="Import, fetch, derive, check and optimize candles.")
    group.command("import")(import_files)
    group.command("fetch")(fetch)
    group.command("check")(check)
    group.command("derive")(derive)
    group.command("optimize")(optimize)
    return group


def import_files(
    files: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, the seed's raw.csv included.")],
    interval: Annotated[str | None, typer.Option(help="Candle interval; inferred from the spacing.")] = None,
    quote: Annotated[str | None, typer.Option(help="Quote symbol, for files that do not say.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the candles come from, for files that do not say.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Asset symbol, for files that do not say.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import candles into the store. Importing twice changes nothing.

    Rows that break a rule are quarantined and reported; the good rows of the same file still arrive.
    Exit code 1 if a row was quarantined, 2 if a file could not be used.
    """
    from cripto.market.importing import ImportReport, import_file

    parts = installation()
    step: Interval | None = parse_interval(interval) if interval else None
    reports: list[ImportReport] = []
    broken: list[dict[str, str]] = []
    with progress_bar() as bars:
        task = bars.add_task("importing", total=len(files))
        for path in files:
            bars.update(task, description=path.name)
            try:
                reports.append(
                    import_file(
                        path,
                        parts.lake,
                        now=parts.clock.now(),
                        interval=step,
                        quote=quote,
                        default_quote=parts.settings.quotes[0],
                        source=source,
                        symbol=symbol,
                    )
                )
            except InvalidInput as error:
                broken.append({"file": str(path), "reason": str(error)})
            bars.advance(task)
    if as_json:
        print_json({"files": [report.to_json() for report in reports], "refused": broken})
    else:
        for report in reports:
            _show(report.to_json())
        for item in broken:
            errors.print(f"refused: {item['reason']}", markup=False)
    if broken:
        raise typer.Exit(CALLER)
    if any(report.quarantined for report in reports):
        raise typer.Exit(FOUND)


def derive(
    finer: Annotated[str, typer.Option("--from", help="Interval of the candles that are there.")],
    coarser: Annotated[list[str], typer.Option("--to", help="Interval of those to make; may be given again.")],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC; all by default.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over candles that are there already, an exchange's too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make coarser candles of finer ones, where every one of these is there. Deriving twice changes nothing.

    Candles that are there already stay as they are, unless --replace is given.
    """
    from cripto.market.deriving import derive, parts_of

    parts = installation()
    source, targets = parse_interval(finer), [parse_interval(name) for name in dict.fromkeys(coarser)]
    for target in targets:
        parts_of(source, target)  # before the first of them is made
    begin = None if since is None else since.replace(tzinfo=UTC)
    changes = {}
    with progress_bar() as bars:
        for target in targets:
            task = bars.add_task(f"{source} to {target}", total=None)
            changes[target.name] = derive(
                parts.lake,
                source,
                target,
                begin,
                replace=replace,
                told=partial(_advance, bars, task),
            )
    if as_json:
        print_json({"from": source.name, "to": {name: asdict(change) for name, change in changes.items()}})
        return
    for name, change in changes.items():
        told = f"{change.inserted} new, {change.updated} changed, {change.unchanged} left as they were"
        output.print(f"{source} to {name}: {told}", markup=False)
    touched = (change.inserted + change.updated + change.unchanged for change in changes.values())
    if not any(touched) and not parts.lake.series(source.name, since=begin):
        when = "" if begin is None else f" since {begin:%Y-%m-%d %H:%M}"
        output.print(f"there are no candles of {source}{when}", markup=False)


def optimize(
    keep_days: Annotated[
        int, typer.Option(min=7, help="Every version that was current within these days stays readable.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Write small files together, sum up the table's log, and remove files that no recent version holds.

    No candle changes. Safe while others read and write, safe to kill and to repeat; once a day is often enough.
    Exit code 75 if others kept writing over it: try again.
    """
    parts = installation()
    with progress_bar() as bars:
        task = bars.add_task("optimizing", total=None)
        done = parts.lake.optimize(
            keep=timedelta(days=keep_days),
            told=lambda step, done, of: bars.update(task, description=step, completed=done, total=of),
        )
        bars.update(task, description="optimized", completed=bars.tasks[0].total or 0)
    if as_json:
        print_json(asdict(done))
    elif done.version is None:
        output.print("there are no candles yet")
    else:
        output.print(
            f"{done.files_before} files before, {done.files} now; {done.removed} old files removed; "
            f"version {done.version}",
            markup=False,
        )


def _advance(bars: "Progress", task: "TaskID", done: int, of: int) -> None:
    bars.update(task, completed=done, total=of)


def _show(report: dict[str, Any]) -> None:
    span = f", {report['first']} to {report['last']}" if report["first"] else ""
    output.print(
        f"{report['file']}: {report['accepted']} of {report['rows']} rows accepted "
        f"({report['inserted']} new, {report['updated']} changed, {report['unchanged']} known), "
        f"{len(report['symbols'])} assets, interval {report['interval'] or 'unknown'}{span}",
        markup=False,
    )
    for name, coin in report["multiples"].items():
        output.print(f"  {name} is {coin['factor']} {coin['symbol']}: written as {coin['symbol']}", markup=False)
    if report["gaps"]["count"]:
        output.print(
            f"  {report['gaps']['count']} gaps, {report['gaps']['missing']} candles missing", markup=False
        )
    if report["notices"]:
        output.print(f"  kept, but worth a look: {_counts(report['notices'])}", markup=False)
    if report["quarantined"]:
        output.print(f"  {report['quarantined']} rows quarantined: {_counts(report['rules'])}", markup=False)
        for row in report["examples"][:_SHOWN]:
            asset = f" {row['symbol']}" if row["symbol"] else ""
            when = f" {row['time']}" if row["time"] else ""
            output.print(f"    row {row['row']}{asset}{when}: {row['rule']}: {row['detail']}", markup=False)
        if report["quarantined"] > _SHOWN:
            output.print("    ... (--json shows more)")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
