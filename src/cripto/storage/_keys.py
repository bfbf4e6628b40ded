"""The one form a key may have, so that none can climb out of its store."""

import re

from cripto.errors import InvalidInput

__all__ = ["check_key", "check_prefix", "is_key"]

_PART = re.compile(r"[A-Za-z0-9_=][A-Za-z0-9._=%+-]*", re.ASCII)
_LONGEST = 512


def is_key(key: str) -> bool:
    """Whether ``key`` is relative, plain ASCII and free of hidden or climbing parts."""
    return len(key) <= _LONGEST and all(_PART.fullmatch(part) for part in key.split("/"))


def check_key(key: str) -> None:
    """Raise `InvalidInput` unless ``key`` is relative, plain ASCII and free of hidden or climbing parts."""
    if not is_key(key):
        raise InvalidInput(f"{key!r} is not a key of an object store")


def check_prefix(prefix: str) -> None:
    """Raise `InvalidInput` unless ``prefix`` is empty or a key followed by a slash."""
    if prefix and not prefix.endswith("/"):
        raise InvalidInput(f"{prefix!r} is not a key prefix: it ends in no slash")
    if prefix:
        check_key(prefix[:-1])
