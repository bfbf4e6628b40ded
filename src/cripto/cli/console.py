"""What commands say: results on standard output (tables, or JSON with ``--json``), progress on standard error."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

__all__ = ["errors", "output", "print_json", "print_json_line", "progress_bar", "table"]

# a file or a pipe has no width, and a table cut to 80 columns there would lose what it says
_WIDE = 250

output = Console(highlight=False, soft_wrap=True, emoji=False, width=None if sys.stdout.isatty() else _WIDE)
"""Results."""

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
"""Progress and errors: never in the way of a program that reads the results."""


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    # not through rich, which would read ":x:" as a picture
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def print_json_line(value: Any) -> None:
    """Write one JSON document on a line of its own to standard output, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def table(*columns: str, title: str | None = None) -> Table:
    """Return a plain table; columns whose name ends in ``>`` are right-aligned."""
    result = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        result.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left")
    return result


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a progress display on standard error that leaves its last state behind."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
    ) as bars:
        yield bars
