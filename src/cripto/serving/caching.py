"""How long caches may keep an answer, and whether a caller already has it (RFC 9110, 9111 and 5861)."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from cripto.forecasting import Answer

__all__ = ["CacheControl", "entity_tag", "matches"]

# RFC 9110, 8.8.3: a tag may hold commas, but no blank and no quote
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAG_DIGITS = 32
_STALE_SECONDS = 60


class CacheControl:
    """``Cache-Control`` of answers, one value a second, made once.

    A new candle or release may arrive with any refresh, so no cache may hold an answer for longer than
    ``refresh_seconds``; for as long again, a minute at most, it may answer with it while it asks for the next.
    """

    def __init__(self, refresh_seconds: float) -> None:
        self._longest = int(refresh_seconds)
        self._longest_step = timedelta(seconds=self._longest)
        self._stale = min(self._longest, _STALE_SECONDS)
        self._values: dict[int, bytes] = {}
        self._at_most = self.within(self._longest)

    def of(self, answer: Answer, now: datetime) -> bytes:
        """The value for ``answer`` at ``now``."""
        left = answer.expires - now
        return self._at_most if left >= self._longest_step else self.within(left.total_seconds())

    def within(self, seconds: float) -> bytes:
        """The value for what may change ``seconds`` from now."""
        left = int(max(0, min(seconds, self._longest)))
        value = self._values.get(left)
        if value is None:
            text = f"public, max-age={left}, stale-while-revalidate={self._stale}"
            value = self._values[left] = text.encode()
        return value


def entity_tag(parts: Iterable[bytes]) -> str:
    """A strong entity tag, with its quotes, of what ``parts`` identify; none may hold a line feed."""
    digest = hashlib.sha256(b"\n".join(parts)).hexdigest()
    return f'"{digest[:_TAG_DIGITS]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the caller has what ``etag`` names; compared weakly, as RFC 9110, 13.1.2 wants it."""
    if if_none_match is None:
        return False
    return if_none_match == etag or if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
