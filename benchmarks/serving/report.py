"""Figures made readable, on a terminal and in Markdown, from the same JSON."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.serving import arrival, board, calm, flood, memory, on_demand, rounds, start, targets
from benchmarks.serving.bench import Bench, Figures, Table

__all__ = ["MEASUREMENTS", "headline", "markdown", "tables_of"]

MEASUREMENTS: Mapping[str, tuple[Callable[[Bench], Figures], Callable[[Figures], list[Table]]]] = {
    "requests": (rounds.measure, rounds.tables),
    "start": (start.measure, start.tables),
    "memory": (memory.measure, memory.tables),
    "on-demand": (on_demand.measure, on_demand.tables),
    "board": (board.measure, board.tables),
    "calm": (calm.measure, calm.tables),
    "arrival": (arrival.measure, arrival.tables),
    "flood": (flood.measure, flood.tables),
}
"""Every measurement by its name on the command line: how to take it, and how to show it."""


def tables_of(name: str, figures: Figures) -> list[Table]:
    """What a measurement found."""
    return MEASUREMENTS[name][1](figures)


def headline(result: Mapping[str, Any]) -> str:
    """Where, when and on what the figures were measured."""
    machine, settings = result["machine"], result["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
        f"Python {machine['python']}; {versions}. "
        f"{result['date'][:10]}, source {result['source'] or 'unknown'}; "
        f"{settings['rounds']} interleaved rounds of {settings['seconds']} s."
    )


def markdown(result: Mapping[str, Any]) -> str:
    """All of it, for ``docs/performance.md``."""
    parts = [headline(result), "", targets.table(result["targets"]).markdown()]
    for name, figures in result["measurements"].items():
        parts += [table.markdown() for table in tables_of(name, figures)]
    others = ", ".join(f"{name} {share:.0%}" for name, share in result["neighbours"].items())
    parts.append(f"Share of the machine that others took meanwhile: {others}.\n")
    for kind in ("left_out", "unmeasured"):
        parts += [f"{kind.replace('_', ' ').capitalize()}: {name}: {why}.  " for name, why in result[kind].items()]
    return "\n".join(parts).rstrip()
