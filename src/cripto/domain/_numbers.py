"""Numbers and names as they are read from JSON somebody else may have written."""

from collections.abc import Mapping, Sequence
from typing import Any

from cripto.errors import InvalidInput

__all__ = ["check_within", "field", "items", "number"]


def field(value: Any, name: str, what: str) -> Any:
    """The field of a JSON object; raise `InvalidInput` if it is none or lacks the field."""
    if not isinstance(value, Mapping) or name not in value:
        raise InvalidInput(f"malformed {what}: it has no {name}")
    return value[name]


def number(value: Any, what: str) -> float:
    """A JSON number as a float; raise `InvalidInput` for anything else, true and what no float holds included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{what} is not a number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidInput(f"{what} is beyond every float") from None


def check_within(value: float, what: str, least: float, most: float) -> None:
    """Raise `InvalidInput` unless ``value`` is from ``least`` to ``most``; NaN never is."""
    if not least <= value <= most:
        raise InvalidInput(f"{what} is not within {least:g} to {most:g}")


def items(value: Any, what: str, most: int) -> Sequence[Any]:
    """A JSON array of 1 to ``most`` items; raise `InvalidInput`."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
        raise InvalidInput(f"{what} are not 1 to {most} items")
    return value
