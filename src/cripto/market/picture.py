"""The coverage of one interval's candles as one page: the one file that imports matplotlib.

matplotlib is imported when something is drawn: it takes a second, and is an extra (``cripto[report]``). Only its
object interface is used, so there is never a window. The same report gives the same bytes.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.interval import parse_interval
from cripto.errors import InvalidInput, OperatorError
from cripto.market.oddities import RUN_RULES
from cripto.market.quality import Coverage, QualityReport, SeriesQuality

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "DRAWN", "WIDTH", "draw", "picture_form"]

Counts = NDArray[np.int64]

WIDTH = 1400
"""Pixels across a PNG."""
DRAWN = 60
"""So many series have a line of their own: those that lack most. One line more sums up the others."""
COLOURS: Mapping[str, str] = {
    "whole": "#0072B2",
    "partly": "#F0E442",
    "missing": "#D55E00",
    "behind": "#CC79A7",
    "odd": "#000000",
}
"""What each colour says; of the palette of Okabe and Ito, which colour-blind people can tell apart too.

https://jfly.uni-koeln.de/color/
"""

_DOTS = 100
_ROW_INCHES = 0.19
_MARGIN_INCHES = 2.1
_LONGEST_LABEL = 24
_WORDS = {
    "whole": "every candle",
    "partly": "some missing",
    "missing": "all missing",
    "behind": "stopped, others go on",
}
_SETTINGS: Any = {
    "svg.hashsalt": "cripto",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.parse_math": False,
}
_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the picture: held and expected candles of each span, from the first span of the window on."""

    label: str
    told: str
    held: Counts
    expected: Counts
    series: tuple[SeriesQuality, ...]


def picture_form(path: Path) -> Literal["png", "svg"]:
    """The form a picture at ``path`` has, by its suffix; call it before the work begins.

    Raises `InvalidInput` for another suffix or a folder that is not there, `OperatorError` without matplotlib.
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in ("png", "svg"):
        raise InvalidInput(f"{path}: a picture is a .png or a .svg")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise OperatorError("pictures need matplotlib: install cripto[report]")
    return "png" if form == "png" else "svg"


def draw(report: QualityReport, interval: str, path: Path) -> None:
    """Draw the series of one interval and write the page to ``path``, whole or not at all.

    ``report`` was made with ``pictured=interval``. Raises what `picture_form` does, and `OperatorError` if the
    file cannot be written.
    """
    form = picture_form(path)
    import matplotlib as mpl

    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with mpl.rc_context(_SETTINGS):
            _page(report, interval).savefig(aside, format=form, dpi=_DOTS, metadata=_METADATA[form])
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise OperatorError(f"{path} cannot be written: {error.strerror or error}") from error


def _page(report: QualityReport, interval: str) -> "Figure":
    from matplotlib.figure import Figure

    coverage = report.coverage
    series = [item for item in report.series if item.interval == parse_interval(interval).name]
    title = f"candles of {interval}, version {'-' if report.version is None else report.version} of the lake"
    if coverage is None or coverage.window[0] == coverage.window[1]:
        page = Figure(figsize=(WIDTH / _DOTS, 2.0))
        page.text(0.5, 0.5, f"{title}: none", ha="center", fontsize=11)
        return page
    lines = _lines(series, coverage)
    height = _MARGIN_INCHES + _ROW_INCHES * max(3, len(lines))
    page = Figure(figsize=(WIDTH / _DOTS, height))
    edges = {"left": 0.13, "right": 0.83, "top": 1 - 0.75 / height, "bottom": 0.35 / height, "hspace": 0.04}
    grid = page.add_gridspec(2, 1, height_ratios=(0.8, height - _MARGIN_INCHES), **edges)
    top, below = page.add_subplot(grid[0]), page.add_subplot(grid[1])
    last = coverage.window[1] - coverage.interval.step
    page.text(
        edges["left"],
        1 - 0.22 / height,
        f"{title}: {len(series)} series, {sum(item.candles for item in series):,} candles, "
        f"{coverage.window[0]:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC",
        fontsize=11,
    )
    _legend(page, edges["left"], 1 - 0.5 / height, coverage)
    _total(top, lines, coverage)
    for row, line in enumerate(lines):
        _draw_line(below, row, line, coverage)
    _dress(top, below, lines, coverage)
    return page


def _lines(series: Sequence[SeriesQuality], coverage: Coverage) -> list[_Line]:
    """A line per series, by name; beyond `DRAWN` those that lack least are summed up in the last."""
    end = coverage.window[1] - coverage.interval.step

    def lacking(item: SeriesQuality) -> tuple[int, str, str]:
        return -(item.missing + max(0, (end - item.last) // coverage.interval.step)), item.symbol, item.quote

    ordered = sorted(series, key=lacking)
    own = sorted(ordered[:DRAWN], key=lambda item: (item.symbol, item.quote))
    rest = ordered[DRAWN:]
    held = coverage.held.partition_by("symbol", "quote", as_dict=True)
    first, spans = _spans(coverage)
    found = []
    for item in own:
        counts = _placed(held.get((item.symbol, item.quote)), first, spans)
        told = f"{_share(item.coverage)}  {item.behind:,} behind ({_age(item.stale_seconds)})"
        found.append(_Line(_label(item), told, counts, _expected(item, coverage, first, spans), (item,)))
    if rest:
        counts, wanted = np.zeros(spans, np.int64), np.zeros(spans, np.int64)
        for item in rest:
            counts += _placed(held.get((item.symbol, item.quote)), first, spans)
            wanted += _expected(item, coverage, first, spans)
        odd = sum(sum(item.notices.values()) for item in rest)
        late = sum(item.behind > 0 for item in rest)
        told = f"{_share(int(counts.sum()) / max(1, int(wanted.sum())))}  {late:,} behind, {odd:,} odd bars"
        found.append(_Line(f"{len(rest)} others, summed up", told, counts, wanted, tuple(rest)))
    return found


def _spans(coverage: Coverage) -> tuple[int, int]:
    """The number of the first span of the window, and how many there are."""
    width = coverage.interval.seconds * coverage.bucket
    begin, end = (int(moment.timestamp()) for moment in coverage.window)
    return begin // width, (end - 1) // width - begin // width + 1


def _placed(held: pl.DataFrame | None, first: int, spans: int) -> Counts:
    counts = np.zeros(spans, np.int64)
    if held is not None:
        inside = held.filter(pl.col("bucket").is_between(first, first + spans - 1))
        counts[inside["bucket"].to_numpy() - first] = inside["candles"].to_numpy()
    return counts


def _expected(item: SeriesQuality, coverage: Coverage, first: int, spans: int) -> Counts:
    """How many candles of a series each span would hold without a gap, from its first to its last."""
    step = coverage.interval.seconds
    begin = max(item.first, coverage.window[0]).timestamp() // step
    end = item.last.timestamp() // step + 1
    starts = (first + np.arange(spans, dtype=np.int64)) * coverage.bucket
    wanted = np.minimum(starts + coverage.bucket, end) - np.maximum(starts, begin)
    return np.asarray(np.maximum(wanted, 0), np.int64)


def _states(line: _Line) -> list[tuple[str, int, int]]:
    """The spans of a line as (state, first, end) of those alike in a row; nothing where nothing is expected."""
    state = np.select(
        [line.expected == 0, line.held >= line.expected, line.held > 0], ["", "whole", "partly"], "missing"
    )
    edges = [0, *(np.flatnonzero(state[1:] != state[:-1]) + 1).tolist(), len(state)]
    return [(str(state[a]), a, b) for a, b in pairwise(edges) if state[a]]


def _draw_line(axes: "Axes", row: int, line: _Line, coverage: Coverage) -> None:
    begin, end = (_day(moment.timestamp()) for moment in coverage.window)
    width = _day(coverage.interval.seconds * coverage.bucket)
    first = _spans(coverage)[0] * width
    parts: dict[str, list[tuple[float, float]]] = {}
    for state, start, stop in _states(line):
        left, right = max(begin, first + start * width), min(end, first + stop * width)
        parts.setdefault(state, []).append((left, right - left))
    if len(line.series) == 1:
        last = _day(coverage.interval.close_of(line.series[0].last).timestamp())
        if last < end:
            parts["behind"] = [(max(begin, last), end - max(begin, last))]
    for state, spans in parts.items():
        height = 0.3 if state == "behind" else 0.8
        axes.broken_barh(spans, (row - height / 2, height), facecolors=COLOURS[state], linewidth=0)
    if len(line.series) == 1:
        for marker, runs in (("v", False), ("s", True)):
            times = [bar.time for bar in line.series[0].bars if (bar.rule in RUN_RULES) is runs]
            days = [_day(moment.timestamp()) for moment in times]
            look: Any = {"c": COLOURS["odd"], "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
            axes.scatter(days, [row] * len(days), s=22, marker=marker, **look)


def _total(axes: "Axes", lines: Sequence[_Line], coverage: Coverage) -> None:
    """What share of all expected candles is held, over time."""
    held, wanted = (sum(getattr(line, name) for line in lines) for name in ("held", "expected"))
    share = np.divide(held, wanted, out=np.full(len(held), np.nan), where=wanted > 0)
    width = _day(coverage.interval.seconds * coverage.bucket)
    first = _spans(coverage)[0] * width
    edges = first + width * np.arange(len(share) + 1)
    axes.stairs(100 * share, edges, fill=True, color=COLOURS["whole"], alpha=0.6)


def _dress(top: "Axes", below: "Axes", lines: Sequence[_Line], coverage: Coverage) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    begin, end = (_day(moment.timestamp()) for moment in coverage.window)
    for axes in (top, below):
        axes.set_xlim(begin, end)
        axes.spines[["top", "right"]].set_visible(False)
    locator = AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    below.set_ylim(max(3, len(lines)) - 0.4, -0.6)
    below.set_yticks(range(len(lines)), [line.label for line in lines])
    below.tick_params(axis="y", length=0)
    for row, line in enumerate(lines):
        below.annotate(
            line.told,
            (1, row),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    top.set_ylim(0, 105)
    top.set_yticks([0, 50, 100], ["0%", "50%", "100%"])
    top.tick_params(axis="x", labelbottom=False, length=0)


def _legend(page: "Figure", left: float, top: float, coverage: Coverage) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=COLOURS[state], label=word) for state, word in _WORDS.items()]
    marks = (("v", "odd move"), ("s", "stands still or nothing traded"))
    handles += [
        Line2D([], [], color=COLOURS["odd"], marker=marker, markersize=4, linestyle="", label=word)
        for marker, word in marks
    ]
    page.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left, top + 0.12 / page.get_figheight()),
        bbox_transform=page.transFigure,
        ncols=len(handles),
        frameon=False,
        borderaxespad=0,
        handlelength=1.2,
        columnspacing=1.6,
        title=None,
    )
    span = coverage.interval.step * coverage.bucket
    page.text(0.83, top, f"narrowest span: {_age(int(span.total_seconds()))}", ha="left", va="center")


def _day(seconds: float) -> float:
    """Days since 1970, matplotlib's unit of time."""
    return seconds / 86400


def _label(item: SeriesQuality) -> str:
    """The name of a series in letters that every font has: a lake may hold anything."""
    return re.sub(r"[^A-Za-z0-9/]", "?", f"{item.symbol}/{item.quote}")[:_LONGEST_LABEL]


def _share(share: float | None) -> str:
    return "-" if share is None else f"{int(share * 1000) / 10:.1f}%"


def _age(seconds: int) -> str:
    age = timedelta(seconds=seconds)
    if age.days:
        return f"{age.days:,}d"
    return f"{seconds // 3600}h" if seconds >= 3600 else f"{seconds // 60}m"
