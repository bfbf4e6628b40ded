"""The curves of an evaluation, as SVG to stand in a page: with `cripto.market.picture` all that draws.

matplotlib is imported when something is drawn and is an extra (``cripto[report]``). Equal scores give equal bytes.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SHOWN", "assets", "can_draw", "cumulative", "folds", "regimes", "reliability"]

SHOWN: Final = 40
"""So many assets have a bar of their own: those with most rows."""

Models = Mapping[str, Mapping[str, Any]]

# of the palette of Okabe and Ito, which colour-blind people can tell apart too: https://jfly.uni-koeln.de/color/
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")
_WIDTH: Final = 10.0
_SETTINGS: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def reliability(models: Models) -> str:
    """One panel for each classifier: what its bins said against the share that rose."""
    chosen = {name: model for name, model in models.items() if model.get("reliability")}

    def fill(panels: "Sequence[Axes]") -> None:
        for axes, (name, model) in zip(panels, chosen.items(), strict=True):
            said = [entry["probability"] for entry in model["reliability"]]
            came = [entry["rose"] for entry in model["reliability"]]
            low, high = min(*said, *came), max(*said, *came)
            margin = max(0.01, 0.05 * (high - low))
            edges = (low - margin, high + margin)
            axes.plot(edges, edges, color="#999999", linewidth=0.8, linestyle="--")
            axes.plot(said, came, marker="o", markersize=4, color=_COLOURS[0])
            axes.set(title=name, xlabel="probability said", ylabel="share that rose", xlim=edges, ylim=edges)

    return _drawn("reliability", len(chosen), 3.4, fill) if chosen else ""


def folds(models: Models) -> str:
    """Skill of each part of the time with its interval, all models side by side."""

    def fill(panels: "Sequence[Axes]") -> None:
        (axes,) = panels
        count = len(models)
        for place, (name, model) in enumerate(models.items()):
            parts = [part for part in model["parts"] if part["skill"] is not None]
            across = [part["number"] + (place - (count - 1) / 2) * 0.8 / count for part in parts]
            _points(axes, across, parts, _COLOURS[place % len(_COLOURS)], name)
        spans = next(iter(models.values()))["parts"]
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.set_xticks(
            [part["number"] for part in spans],
            [f"{(part['first'] or '')[:10]}\nto {(part['last'] or '')[:10]}" for part in spans],
        )
        axes.set_ylabel("skill")
        _legend(axes, count)

    return _drawn("folds", 1, 3.6, fill)


def cumulative(models: Models) -> str:
    """What each day added to the skill on all rows, summed up."""

    def fill(panels: "Sequence[Axes]") -> None:
        (axes,) = panels
        for place, (name, model) in enumerate(models.items()):
            curve = model["cumulative"]
            days: list[datetime] = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day, _ in curve]
            axes.plot(
                days,  # type: ignore[arg-type]  # matplotlib takes dates; its annotations say numbers
                [value for _, value in curve],
                color=_COLOURS[place % len(_COLOURS)],
                linewidth=1,
                label=name,
            )
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.set_ylabel("skill so far")
        _legend(axes, len(models))

    return _drawn("cumulative", 1, 3.2, fill) if any(model["cumulative"] for model in models.values()) else ""


def assets(models: Models) -> str:
    """Skill of the `SHOWN` assets with most rows: a panel for each model."""
    first = next(iter(models.values()))["assets"]
    labels = sorted(sorted(first, key=lambda symbol: -first[symbol]["rows"])[:SHOWN], reverse=True)
    return _bars("assets", models, labels, lambda model, label: model["assets"][label])


def regimes(models: Models) -> str:
    """Skill by what the market was like: a panel for each model."""
    first = next(iter(models.values()))["regimes"]
    labels = [label for label in reversed(first) if first[label]["rows"]]
    return _bars("regimes", models, labels, lambda model, label: model["regimes"][label])


def _bars(
    name: str,
    models: Models,
    labels: Sequence[str],
    entry_of: Callable[[Mapping[str, Any], str], Mapping[str, Any]],
) -> str:
    def fill(panels: "Sequence[Axes]") -> None:
        for place, (axes, (title, model)) in enumerate(zip(panels, models.items(), strict=True)):
            entries = [entry_of(model, label) for label in labels]
            skills = [entry["skill"] or 0.0 for entry in entries]
            colours = ["#cccccc" if entry["few"] else _COLOURS[0] for entry in entries]
            axes.barh(range(len(labels)), skills, color=colours, height=0.6)
            known = [
                (row, *entry["skill_interval"]) for row, entry in enumerate(entries) if entry["skill_interval"]
            ]
            axes.hlines(*_columns(known), color="#000000", linewidth=0.8)
            axes.axvline(0, color="#999999", linewidth=0.8)
            axes.set_title(title)
            axes.locator_params(axis="x", nbins=3)
            axes.set_yticks(range(len(labels)), labels if place == 0 else [""] * len(labels))
            axes.set_ylim(-0.7, len(labels) - 0.3)

    return _drawn(name, len(models), 0.8 + 0.17 * len(labels), fill) if labels else ""


def _points(axes: "Axes", across: list[float], parts: list[Any], colour: str, label: str) -> None:
    axes.plot(across, [part["skill"] for part in parts], "o", markersize=4, color=colour, label=label)
    placed = zip(across, parts, strict=True)
    known = [(where, *part["skill_interval"]) for where, part in placed if part["skill_interval"]]
    axes.vlines(*_columns(known), color=colour, linewidth=1)


def _columns(rows: list[tuple[float, float, float]]) -> tuple[list[float], list[float], list[float]]:
    """The rows' first items, second and third ones."""
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _legend(axes: "Axes", count: int) -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=count, frameon=False)


def _drawn(name: str, panels: int, height: float, fill: "Callable[[Sequence[Axes]], None]") -> str:
    """The figure called ``name`` as one ``<svg>`` element; its ids are its own in a page of several."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {**_SETTINGS, "svg.hashsalt": f"cripto {name}"}
    with mpl.rc_context(settings):
        figure: Figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        fill([figure.add_subplot(1, panels, place + 1) for place in range(panels)])
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue().decode()
    return _own_ids(text[text.index("<svg") :], name)


def _own_ids(svg: str, name: str) -> str:
    # groups are called figure_1, axes_1 and so on in every figure
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{name}-\1"', svg)
