"""``cripto candles check``: coverage, gaps, staleness and odd bars, in words, as JSON or as a picture."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cripto.cli.console import errors, output, print_json, progress_bar, table
from cripto.cli.exits import FOUND
from cripto.cli.options import AsJson
from cripto.cli.wiring import installation

if TYPE_CHECKING:
    from cripto.market.quality import OddBars, QualityReport, SeriesQuality

__all__ = ["check"]

_SHOWN = 10


def check(
    interval: Annotated[str | None, typer.Option(help="One interval only; all by default.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Look only at candles from this time (UTC) on."
        ),
    ] = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="List every gap, not only the longest.")] = False,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw one interval (--interval or CRIPTO_INTERVAL) as a .png or .svg."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Report coverage, gaps, staleness and suspicious bars of the store's candles.

    Exit code 1 if a series has a gap or a bar that breaks a rule. Being behind the clock is no fault of the data,
    and an odd bar (a jump, a price that stands still, hours without a trade) is a notice: it may be true.
    """
    from cripto.market.quality import check_lake

    parts = installation()
    pictured = None
    if picture is not None:
        from cripto.market.picture import picture_form

        picture_form(picture)
        pictured = interval or parts.settings.interval
    start = None if since is None else since.replace(tzinfo=UTC)
    with progress_bar() as bars:
        task = bars.add_task("checking", total=None)
        report = check_lake(
            parts.lake,
            interval,
            now=parts.clock.now(),
            since=start,
            pictured=pictured,
            told=lambda name, done, of: bars.update(
                task, description=f"checking {name}", completed=done, total=of
            ),
        )
        bars.update(task, description="checked", total=bars.tasks[0].total or 0)
    if picture is not None and pictured is not None:
        from cripto.market.picture import draw

        draw(report, pictured, picture)
        errors.print(f"picture: {picture}", markup=False)
    if as_json:
        print_json(report.to_json())
    else:
        _show(report, every_gap=gaps)
    if report.suspicious or any(item.gaps for item in report.series):
        raise typer.Exit(FOUND)


def _show(report: "QualityReport", *, every_gap: bool) -> None:
    rows = table(
        *("symbol", "quote", "interval", "candles>", "first", "last", "coverage>", "of all>", "gaps>", "missing>"),
        *("flat>", "suspicious", "notices", "behind>", "since the last>"),
    )
    for item in report.series:
        rows.add_row(
            item.symbol,
            item.quote,
            item.interval,
            str(item.candles),
            f"{item.first:%Y-%m-%d %H:%M}",
            f"{item.last:%Y-%m-%d %H:%M}",
            _percent(item.coverage),
            _percent(item.share),
            str(item.gaps),
            str(item.missing),
            str(item.flat),
            _counts(item.suspicious),
            _counts(item.notices),
            str(item.behind),
            _duration(timedelta(seconds=item.stale_seconds)),
        )
    if not report.series:
        output.print("there are no candles here yet")
        return
    output.print(rows)
    _show_gaps(report.series, every_gap)
    _show_notices(report.series)
    output.print(f"{report.candles} candles of {len(report.series)} series", markup=False)


def _show_gaps(series: "Iterable[SeriesQuality]", every_gap: bool) -> None:
    found = [(item, gap) for item in series for gap in item.listed_gaps]
    total = sum(item.gaps for item in series)
    if not every_gap:
        found = sorted(found, key=lambda pair: -pair[1].missing)[:_SHOWN]
    if found:
        output.print("gaps" if len(found) == total else f"the longest {len(found)} of {total} gaps", markup=False)
    for item, gap in found:
        span = f"{gap.start:%Y-%m-%d %H:%M}"
        if gap.missing > 1:
            span += f" to {gap.end:%Y-%m-%d %H:%M}"
        output.print(f"  {item.symbol}/{item.quote} {item.interval}: {gap.missing} missing, {span}", markup=False)


def _show_notices(series: "Iterable[SeriesQuality]") -> None:
    found = [(item, bar) for item in series for bar in item.bars]
    total = sum(sum(item.notices.values()) for item in series)
    latest = sorted(found, key=lambda pair: pair[1].time)[-_SHOWN:]
    if latest:
        shown = "" if len(latest) == total else f", the latest {len(latest)} of {total}; --json lists more"
        output.print(f"worth a look{shown}", markup=False)
    for item, bar in latest:
        where = f"  {item.symbol}/{item.quote} {item.interval} {bar.time:%Y-%m-%d %H:%M}"
        output.print(f"{where}: {_told(bar)}", markup=False)


def _told(bar: "OddBars") -> str:
    if bar.candles == 1 and bar.rule in {"jump", "spike", "break"}:
        return f"{bar.rule}: x{bar.figure:.4g} (odd beyond x{bar.limit:.3g} or x{1 / bar.limit:.3g})"
    if bar.candles == 1:
        return f"{bar.rule}: 1 candle"
    return f"{bar.rule}: {bar.candles} candles, to {bar.until:%Y-%m-%d %H:%M}"


def _percent(share: float | None) -> str:
    # not rounded up: what is not whole must not look it
    return "-" if share is None else f"{int(share * 10_000) / 100:.2f}%"


def _duration(age: timedelta) -> str:
    hours, minutes = age.seconds // 3600, age.seconds // 60 % 60
    return f"{age.days}d {hours}h" if age.days else f"{hours}h {minutes:02}m"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
