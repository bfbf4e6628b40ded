"""What every measurement is given, and the form in which its figures are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving.machine import Cores
from benchmarks.serving.stores import Stores

__all__ = ["Bench", "Figures", "Table"]

Figures = dict[str, Any]
"""What a measurement found, as it is written to JSON."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The stores to serve, the cores to pin to, where logs go; ``rounds`` of ``seconds`` each."""

    stores: Stores
    cores: Cores
    folder: Path
    rounds: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Table:
    """Figures made readable: the first column is left-aligned, the others hold numbers or words."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())

    def text(self) -> str:
        """For a terminal."""
        lines = [tuple(self.columns), *map(tuple, self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        told = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([f"\n{self.title}", *told, *self.notes])

    def markdown(self) -> str:
        """For the documentation."""
        marks = ["---", *("---:" for _ in self.columns[1:])]
        lines = [f"| {' | '.join(cells)} |" for cells in (self.columns, marks, *self.rows)]
        notes = ["", *(f"{note}  " for note in self.notes)] if self.notes else []
        return "\n".join([f"### {self.title}", "", *lines, *notes, ""])
