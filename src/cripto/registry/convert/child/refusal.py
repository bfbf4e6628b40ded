"""How anything in the child says no, and how it is told."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Refused", "shown", "told"]


class Refused(Exception):
    """The model is refused; the message is the reason."""


def shown(value: Any) -> str:
    """A few letters of a value out of a file: a plain one's own, of any other its class.

    Never its ``repr``: tuples of tuples of one tuple have one without end.
    """
    if value is None or type(value) in (bool, float, str) or (type(value) is int and abs(value) < 10**12):
        return repr(value[:40] if type(value) is str else value)
    return type(value).__name__


def told(reason: str, stage: str, *, final: bool = True) -> tuple[Mapping[str, Any], bytes]:
    """What the answer says of a model refused at ``stage``, and its graph: none.

    ``final`` is a verdict about the file's bytes, and not that this process could not come to one.
    """
    return {"refused": reason, "stage": stage, "final": final}, b""
