"""Separated text: the delimiter found, every line counted, the lines that do not fit kept apart."""

import csv
import io
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl

from cripto.errors import InvalidInput
from cripto.market._columns import SEED_COLUMNS, column_names, is_header

__all__ = ["read_csv"]

_DELIMITERS = (",", ";", "\t", "|")
_HEADER_LINES = 5
_LONGEST_LINE = 65_536
_CHUNK_LINES = 200_000
_SHOWN = 200
_CELL = r'(?:"(?:[^"]|"")*"|[^"{0}]*)'
_QUOTED = rf"{_CELL}(?:{{0}}{_CELL})*"


def read_csv(path: Path) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield, in parts, the rows of a file and the lines that could not be split.

    Rows: ``row`` (line number, the first is 1) and the columns found, under our names, as text. Lines: ``row``
    and ``detail``. The header is looked for in the first lines, in any case; without one the file must have the
    columns of the pipeline's ``raw.csv``. Raises `InvalidInput` if the columns cannot be told.
    """
    with path.open("rb") as file:
        delimiter, header, skipped = _layout(file)
        wanted = column_names(header)
        file.seek(0)
        for rows, lines, bad in _chunks(file, delimiter, len(header), skipped):
            frame = _split(lines, delimiter, len(header)) if lines else None
            if lines and (frame is None or frame.height != len(lines)):
                raise InvalidInput(f"lines {rows[0]} to {rows[-1]} cannot be read as separated text")
            yield _named(frame, rows, header, wanted), bad


def _split(lines: list[bytes], delimiter: str, fields: int) -> pl.DataFrame | None:
    try:
        return pl.read_csv(
            io.BytesIO(b"\n".join(lines)),
            has_header=False,
            separator=delimiter,
            infer_schema=False,
            new_columns=[f"c{number}" for number in range(fields)],
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None


def _named(
    frame: pl.DataFrame | None, rows: "array[int]", header: list[str], wanted: dict[str, str]
) -> pl.DataFrame:
    if frame is None:
        return pl.DataFrame(schema={"row": pl.Int64} | dict.fromkeys(wanted, pl.String))
    place = {column: f"c{header.index(name)}" for column, name in wanted.items()}
    return frame.select(pl.Series("row", rows, dtype=pl.Int64), **{to: pl.col(place[to]) for to in wanted})


def _layout(file: BinaryIO) -> tuple[str, list[str], int]:
    """The delimiter, the header, and how many lines to skip."""
    first: list[str] = []
    for _ in range(_HEADER_LINES):
        line = file.readline(_LONGEST_LINE)
        first.append(line.decode("utf-8-sig", errors="replace").rstrip("\r\n"))
    for number, text in enumerate(first):
        found = [(delimiter, _cells(text, delimiter)) for delimiter in _DELIMITERS]
        headers = [(delimiter, cells) for delimiter, cells in found if is_header(cells)]
        if headers:
            delimiter, cells = max(headers, key=lambda item: len(item[1]))
            return delimiter, cells, number + 1
    if "\r" in first[0]:
        raise InvalidInput("its lines end in CR alone: save it with lines that end in LF or CRLF")
    cells = _cells(first[0], "|")
    if len(cells) == len(SEED_COLUMNS):
        return "|", list(SEED_COLUMNS), 0
    if not any(text.strip() for text in first):
        raise InvalidInput("the file is empty")
    raise InvalidInput("no line names the columns: at least a time, open, high, low, close and volume are needed")


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _chunks(
    file: BinaryIO, delimiter: str, fields: int, skipped: int
) -> Iterator[tuple["array[int]", list[bytes], pl.DataFrame]]:
    """Line numbers and lines of as many fields as the header, and the others, a bounded number at a time."""
    mark, quoted = delimiter.encode(), re.compile(_QUOTED.format(re.escape(delimiter)))
    rows, lines, bad = array("q"), list[bytes](), list[tuple[int, str]]()
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        problem = None
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            problem = f"the line is longer than {_LONGEST_LINE} bytes"
            while (rest := file.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        line = line.rstrip(b"\r\n")
        if number <= skipped or not line.strip():
            continue
        problem = problem or _problem(line, mark, quoted, delimiter, fields)
        if problem is None:
            rows.append(number)
            lines.append(line)
        else:
            bad.append((number, problem))
        if len(lines) + len(bad) >= _CHUNK_LINES:
            yield rows, lines, _bad(bad)
            rows, lines, bad = array("q"), [], []
    yield rows, lines, _bad(bad)


def _problem(line: bytes, mark: bytes, quoted: re.Pattern[str], delimiter: str, fields: int) -> str | None:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "the line is not UTF-8 text"
    if "\0" in text:
        return "the line is not text"
    if b'"' not in line:
        found = line.count(mark) + 1
    elif quoted.fullmatch(text):
        found = len(next(csv.reader([text], delimiter=delimiter)))
    else:
        # a quote within a bare cell opens a quoted one for polars, and swallows the lines that follow
        return f"unbalanced quotes: {text[:_SHOWN]}"
    return None if found == fields else f"{found} fields, not {fields}: {text[:_SHOWN]}"


def _bad(lines: list[tuple[int, str]]) -> pl.DataFrame:
    return pl.DataFrame(lines, schema={"row": pl.Int64, "detail": pl.String}, orient="row")
