"""The id of a request: the caller's where it is a sane one, else a new one."""

import random
import re

from starlette.types import Scope

__all__ = ["new_request_id", "request_id_of", "sane_request_id"]

_random = random.Random().getrandbits  # noqa: S311
_SANE = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    """The id of the request, as its header, its problems and its log lines tell it."""
    return str(scope.get("state", {}).get("request_id", ""))


def new_request_id() -> str:
    """A new id, 16 hexadecimal digits: one that no other request has, not one that nobody could guess."""
    return f"{_random(64):016x}"


def sane_request_id(given: bytes) -> str | None:
    """The caller's id, if nothing in it could harm a log or a header."""
    return given.decode("ascii") if _SANE.fullmatch(given) else None
