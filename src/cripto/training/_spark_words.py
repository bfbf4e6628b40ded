"""Small decisions about Spark that need no Spark: masters, schemas, paths, and failures that cross processes."""

import re
import traceback
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from cripto.errors import InvalidInput
from cripto.market.identity import RENAMES
from cripto.market.listings import Listings
from cripto.market.selection import asset_series

__all__ = ["CANDLE_FIELDS", "Failure", "checked_master", "is_local", "reason_of", "sources", "wanted_series"]

CANDLE_FIELDS: Final = (
    "symbol string, quote string, time {time}, open double, high double, low double, close double,"
    " volume double, source string"
)
"""The columns of a lake's file in Spark's words; ``interval`` is told by the folder."""

_LOCAL: Final = re.compile(
    r"local(\[(\*|[0-9]+)(, *[0-9]+)?\])?|local-cluster\[[0-9]+, *[0-9]+, *[0-9]+\]", re.ASCII
)
_REMOTE: Final = re.compile(r"yarn|(spark|k8s)://\S+")
_NAMED: Final = re.compile(r"[A-Za-z_$][\w.$]*(Error|Exception|Exit)\b:? ")
_PATTERN: Final = frozenset("*?[]{}\\")


def is_local(master: str) -> bool:
    """Whether all of a master's processes run on this machine, and so see its files."""
    return _LOCAL.fullmatch(master) is not None


def checked_master(master: str) -> str:
    """``master`` if Spark takes it; else raise `InvalidInput`."""
    if not is_local(master) and _REMOTE.fullmatch(master) is None:
        raise InvalidInput(
            f"{master!r} is no Spark master: local[2], local[*], local-cluster[2,1,1024], spark://host:7077,"
            " yarn or k8s://..."
        )
    return master


def sources(files: Sequence[str], local: bool, schemes: Collection[str]) -> list[str] | None:
    """The files in the words of Spark's reader; ``None`` where Spark cannot read them all.

    ``local`` says whether its processes see this machine's files, ``schemes`` which other ones it knows.
    """
    found = []
    for file in files:
        scheme, separator, _ = file.partition("://")
        if _PATTERN & set(file) or not (scheme in schemes if separator else local):
            return None
        found.append(file if separator else f"file://{file}")
    return found


def wanted_series(last: pl.DataFrame, quotes: Sequence[str], listings: Listings) -> list[tuple[str, str]]:
    """Symbol and quote of each series that `asset_series` looks into, sorted; no other one changes what it gives.

    ``last`` holds ``symbol, quote`` and ``time``, the last candle's open, of every series of one interval.
    """
    chosen = set(asset_series(last, quotes, listings).select("symbol", "quote").iter_rows())
    held = set(last.select("symbol", "quote").iter_rows())
    old = {(name, quote) for name, now in RENAMES.items() for symbol, quote in chosen if symbol == now}
    return sorted(chosen | (old & held))


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as it travels: by its class, its arguments and its fields, whatever its constructor takes."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    fields: dict[str, Any]
    told: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """What travels of ``error``."""
        told = "".join(traceback.format_exception(error))
        return cls(type(error), error.args, dict(vars(error)), told)

    def error(self) -> Exception:
        """The same exception, with where it was raised as a note."""
        found = self.kind.__new__(self.kind, *self.arguments)
        found.args = self.arguments
        vars(found).update(self.fields)
        found.add_note(f"raised on an executor of Spark:\n{self.told}")
        return found


def reason_of(text: str) -> str:
    """What a long report of a failure comes to: its first line that names an exception, Python's before Java's."""
    lines = [line.strip().removeprefix(": ") for line in text.splitlines() if line.strip()]
    named = [line for line in lines if _NAMED.match(line)]
    python = [line for line in named if not line.startswith(("org.", "java."))]
    return (python or named or lines or ["no reason is given"])[0][:300]
