"""How long caches may keep an answer, and whether a caller already has it (RFC 9110, 9111 and 5861)."""

from datetime import datetime

from cripto.forecasting import Answer

__all__ = ["CacheControl", "matches"]

_STALE_SECONDS = 60


class CacheControl:
    """``Cache-Control`` of answers, one value a second, made once.

    A new candle or release may arrive with any refresh, so no cache may hold an answer for longer than
    ``refresh_seconds``; for as long again, a minute at most, it may answer with it while it asks for the next.
    """

    def __init__(self, refresh_seconds: float) -> None:
        self._longest = int(refresh_seconds)
        self._stale = min(self._longest, _STALE_SECONDS)
        self._values: dict[int, bytes] = {}

    def of(self, answer: Answer, now: datetime) -> bytes:
        """The value for ``answer`` at ``now``."""
        return self.within((answer.expires - now).total_seconds())

    def within(self, seconds: float) -> bytes:
        """The value for what may change ``seconds`` from now."""
        left = max(0, min(int(seconds), self._longest))
        value = self._values.get(left)
        if value is None:
            text = f"public, max-age={left}, stale-while-revalidate={self._stale}"
            value = self._values[left] = text.encode()
        return value


def matches(header: str | bytes | None, etag: str | bytes) -> bool:
    """Whether ``If-None-Match`` names ``etag``, compared weakly as RFC 9110 demands; both of one type."""
    if header is None:
        return False
    if isinstance(header, bytes):
        header = header.decode("latin-1")
    if isinstance(etag, bytes):
        etag = etag.decode("latin-1")
    if header == etag:
        return True
    # our tags have no commas in them, so a tag cut at one is none of ours
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags
