"""Encoded answers, and the immutable table of them that requests are answered from."""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cripto.forecasting.encode import EncodedForecast

__all__ = ["Answer", "Table", "tell"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Encoded bytes, a strong entity tag with its quotes, and from when to when (UTC) they hold."""

    body: bytes
    etag: str
    since: datetime
    expires: datetime
    tag: bytes = field(init=False, repr=False, compare=False)
    """The entity tag as a header carries it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", self.etag.encode())

    def holds(self, now: datetime) -> bool:
        """Whether it may be given at ``now``."""
        # a clock that was set back leaves the interval the answer was told in, just as one that goes on does
        return self.since <= now < self.expires


def tell(forecast: EncodedForecast, now: datetime) -> Answer:
    """The answer that tells ``forecast`` at ``now``; it holds until the next boundary of its interval."""
    since = forecast.interval.floor(now)
    body = forecast.body(now)
    return Answer(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', since, forecast.interval.close_of(since))


@dataclass(frozen=True, slots=True)
class Table:
    """The answers of many assets from one boundary of their interval to the next; never changed."""

    since: datetime
    expires: datetime
    answers: Mapping[str, Answer] = field(repr=False)

    def holds(self, now: datetime) -> bool:
        """Whether its answers may be given at ``now``."""
        return self.since <= now < self.expires

    def of(self, assets: Container[str]) -> "Table":
        """The same table without all but ``assets``."""
        answers = {asset: answer for asset, answer in self.answers.items() if asset in assets}
        return Table(self.since, self.expires, MappingProxyType(answers))
