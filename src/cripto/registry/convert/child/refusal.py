"""The one exception by which anything in the child says no, and how it is told."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Refused", "told"]


class Refused(Exception):
    """The model is refused; the message is the reason."""


def told(reason: str, stage: str) -> tuple[Mapping[str, Any], bytes]:
    """What the answer says of a model refused at ``stage``, and its graph: none."""
    return {"refused": reason, "stage": stage}, b""
