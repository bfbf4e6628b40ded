"""What caches are told: how long an answer holds, its entity tag, and whether a caller has it already."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

__all__ = ["entity_tag", "matches", "max_age", "public"]

# RFC 9110, 8.8.3: a tag may hold commas, but no blank and no quote
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAG_DIGITS = 32


def max_age(expires: datetime, now: datetime, refresh_seconds: float) -> int:
    """For how many seconds an answer that holds until ``expires`` may be kept.

    A new candle or release may arrive with any refresh, so that is never longer than from one to the next.
    """
    return max(0, int(min((expires - now).total_seconds(), refresh_seconds)))


def public(seconds: int) -> str:
    """The ``Cache-Control`` of an answer that anybody may keep for so long."""
    return f"public, max-age={seconds}"


def entity_tag(parts: Iterable[bytes]) -> str:
    """A strong entity tag, with its quotes, of what ``parts`` identify; none may hold a line feed."""
    digest = hashlib.sha256(b"\n".join(parts)).hexdigest()
    return f'"{digest[:_TAG_DIGITS]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has what ``etag`` names; compared weakly, as RFC 9110, 13.1.2 wants it."""
    if if_none_match is None:
        return False
    return if_none_match == etag or if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
