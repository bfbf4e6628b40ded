"""Every error this project raises on purpose, sorted by what the person who meets it should do.

::

    CriptoError
    ├── CallerError                 change the request
    │   ├── InvalidAsset            not a symbol at all
    │   ├── UnknownAsset            no candles for it
    │   ├── RetiredAsset            no exchange trades it any more
    │   ├── InsufficientHistory     fewer candles than the features need
    │   ├── HistoryGap              the feature window crosses a gap
    │   ├── InvalidInput            an argument, name or file that cannot be used
    │   │   └── UnknownInterval     no candle interval of that name
    │   ├── IntervalNotServed       a candle interval that this server has no forecasts of
    │   ├── UnknownRelease          no such release in the store
    │   ├── UnknownPair             the exchange does not list it
    │   └── Unauthorized            a wrong or missing administrator token
    ├── RetryLater                  wait and try again
    │   ├── NoRelease               nothing is loaded or published yet
    │   ├── Overloaded              too many requests wait already
    │   ├── StorageUnavailable      the object store does not answer
    │   ├── ExchangeUnavailable     an exchange does not answer, answers badly or asks for fewer requests
    │   └── WriteConflict           somebody else wrote first
    └── OperatorError               somebody must change the installation
        ├── InvalidSettings         an unknown or unusable setting
        ├── StorageDenied           the object store refuses our credentials
        ├── ExchangeDenied          an exchange does not serve this address or country
        ├── ObjectNotFound          an object that must exist does not
        ├── ReleaseRefused          a release that must not be served
        ├── ModelRefused            a model that cannot be converted or does not agree with its source
        └── TrainingRefused         not enough, or unusable, candles to train on

Nothing here knows of HTTP or of a terminal: ``cripto.serving`` and ``cripto.cli`` each map the branches to
statuses and exit codes in one table. Messages are English; what the API says to people is written there.
"""

from collections.abc import Sequence
from datetime import datetime

__all__ = [
    "CallerError",
    "CriptoError",
    "ExchangeDenied",
    "ExchangeUnavailable",
    "HistoryGap",
    "InsufficientHistory",
    "IntervalNotServed",
    "InvalidAsset",
    "InvalidInput",
    "InvalidSettings",
    "ModelRefused",
    "NoRelease",
    "ObjectNotFound",
    "OperatorError",
    "Overloaded",
    "ReleaseRefused",
    "RetiredAsset",
    "RetryLater",
    "StorageDenied",
    "StorageUnavailable",
    "TrainingRefused",
    "Unauthorized",
    "UnknownAsset",
    "UnknownInterval",
    "UnknownPair",
    "UnknownRelease",
    "WriteConflict",
]


class CriptoError(Exception):
    """Base of every error raised on purpose."""


class CallerError(CriptoError):
    """The caller must change the request."""


class RetryLater(CriptoError):
    """The same request may succeed later."""


class OperatorError(CriptoError):
    """Somebody must change the installation before this can succeed."""


class InvalidAsset(CallerError):
    """The text is not an asset symbol. It is kept for callers, never logged or echoed unescaped."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__("an asset symbol is 1 to 20 letters or digits")


class UnknownAsset(CallerError):
    """A well-formed symbol without candles; ``nearest`` holds known symbols that look like it."""

    def __init__(self, asset: str, nearest: Sequence[str] = ()) -> None:
        self.asset = asset
        self.nearest = tuple(nearest)
        hint = f"; did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        super().__init__(f"no candles for {asset}{hint}")


class RetiredAsset(CallerError):
    """An asset with candles that is not traded any more in ``quote``: that is what ``exchanges`` say.

    ``closed`` (UTC) is the close of its last candle.
    """

    def __init__(self, asset: str, quote: str, exchanges: Sequence[str], closed: datetime) -> None:
        self.asset = asset
        self.quote = quote
        self.exchanges = tuple(exchanges)
        self.closed = closed
        super().__init__(
            f"{asset} is not traded in {quote} any more, by what {', '.join(self.exchanges)} says; "
            f"its last candle closed at {closed.isoformat()}"
        )


class InsufficientHistory(CallerError):
    """The asset has fewer candles than the features look back on."""

    def __init__(self, asset: str, available: int, needed: int) -> None:
        self.asset = asset
        self.available = available
        self.needed = needed
        super().__init__(f"{asset} has {available} candles and the features need {needed}")


class HistoryGap(CallerError):
    """The feature window crosses missing candles: none between ``after`` and ``before`` (UTC opens)."""

    def __init__(self, asset: str, after: datetime, before: datetime) -> None:
        self.asset = asset
        self.after = after
        self.before = before
        super().__init__(f"candles of {asset} are missing between {after.isoformat()} and {before.isoformat()}")


class InvalidInput(CallerError):
    """An argument, a name or a file that cannot be used, with the reason."""


class UnknownInterval(InvalidInput):
    """No candle interval has that name; ``known`` holds those that there are, shortest first."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.known = tuple(known)
        super().__init__(f"unknown interval {name!r}; known: {', '.join(self.known)}")


class IntervalNotServed(CallerError):
    """A known candle interval that is not served here; ``served`` holds those that are, the default first."""

    def __init__(self, interval: str, served: Sequence[str]) -> None:
        self.interval = interval
        self.served = tuple(served)
        super().__init__(f"interval {interval} is not served here; {', '.join(self.served)} are")


class UnknownRelease(CallerError):
    """No release of that version in the store."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(f"there is no release {version}")


class UnknownPair(CallerError):
    """The exchange's own list, asked for just now, does not hold the pair (``BASE/QUOTE``)."""

    def __init__(self, exchange: str, pair: str) -> None:
        self.exchange = exchange
        self.pair = pair
        super().__init__(f"{exchange} does not list {pair}")


class Unauthorized(CallerError):
    """The administrator token is wrong or missing."""

    def __init__(self) -> None:
        super().__init__("a valid administrator token is needed")


class NoRelease(RetryLater):
    """There is no release to serve, yet; ``interval`` names the one it is missing of, where that is known."""

    def __init__(self, reason: str = "no release is loaded", *, interval: str | None = None) -> None:
        self.interval = interval
        super().__init__(reason)


class Overloaded(RetryLater):
    """So many requests wait to be worked out that another would wait for too long."""

    def __init__(self) -> None:
        super().__init__("too many requests are waiting to be answered")


class StorageUnavailable(RetryLater):
    """The object store did not answer, or answered with a fault of its own."""


class ExchangeUnavailable(RetryLater):
    """An exchange gave no usable answer within our patience; ``retry_after`` seconds are what it asked for."""

    def __init__(self, exchange: str, reason: str, retry_after: float | None = None) -> None:
        self.exchange = exchange
        self.reason = reason
        self.retry_after = retry_after
        later = "" if retry_after is None else f"; it asks to wait {retry_after:.0f} s"
        super().__init__(f"{exchange} gave no usable answer: {reason}{later}")


class WriteConflict(RetryLater):
    """A conditional write lost: the object exists already, or changed since it was read."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key} was written by somebody else")


class InvalidSettings(OperatorError):
    """A setting that is unknown or unusable."""


class StorageDenied(OperatorError):
    """The object store refuses our credentials."""


class ExchangeDenied(OperatorError):
    """An exchange refuses this address, country or account: another exchange or place is needed."""

    def __init__(self, exchange: str, reason: str) -> None:
        self.exchange = exchange
        self.reason = reason
        super().__init__(f"{exchange} refuses us: {reason}")


class ObjectNotFound(OperatorError):
    """The store holds no object under that key."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"{key} is not in the store")


class ReleaseRefused(OperatorError):
    """A release that must not be served, and why."""

    def __init__(self, release: str, reason: str) -> None:
        self.release = release
        self.reason = reason
        super().__init__(f"release {release} refused: {reason}")


class ModelRefused(OperatorError):
    """A model that cannot be converted, loaded or trusted to agree with its source, and why.

    ``final`` is a verdict about the model's bytes, which this installation will always give again: only such a
    one may be remembered.
    """

    def __init__(self, model: str, reason: str, *, final: bool = False) -> None:
        self.model = model
        self.reason = reason
        self.final = final
        super().__init__(f"model {model} refused: {reason}")


class TrainingRefused(OperatorError):
    """Not enough, or unusable, candles to train on."""
