"""What exchanges say of the pairs they list, kept beside the candles: which are multiples, which were delisted.

One small object, moved by conditional write. Whether an asset is retired is what its exchanges say, never what the
age of its candles suggests.
"""

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from cripto.domain.asset import parse_asset
from cripto.domain.clock import parse_time, rfc3339
from cripto.errors import CallerError, InvalidInput, ObjectNotFound, OperatorError, WriteConflict
from cripto.market.identity import listed_asset
from cripto.market.source import Pair
from cripto.storage import ObjectStore

__all__ = ["LISTINGS_FORMAT", "LISTINGS_KEY", "Listing", "ListingBook", "Listings", "series_of_pairs"]

_LOG = logging.getLogger(__name__)

LISTINGS_KEY: Final = "candles/_listings.json"
LISTINGS_FORMAT: Final = 1

# A venue that closes for maintenance lists next to nothing, or all of it as not traded.
_COLLECTIVE_SHARE = 0.25
_COLLECTIVE_LEAST = 4
# so that whoever follows every minute does not have all servers read the object anew each time
_SAID_AGAIN = timedelta(hours=1)
_ATTEMPTS = 30
_EXCHANGE = re.compile(r"[a-z0-9]{1,40}", re.ASCII)
_PAIR = re.compile(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}", re.ASCII)
_LARGEST_FACTOR = 10**9


@dataclass(frozen=True, slots=True)
class Listing:
    """One coin in one quote at one exchange: its pair there, in the exchange's words (``BASE/QUOTE``).

    ``factor`` of the coin make one unit of the pair's base. ``active`` is whether it is traded, and ``checked``
    (UTC) when the exchange last said so, to the hour: the same said again within one changes nothing.
    """

    symbol: str
    quote: str
    exchange: str
    pair: str
    factor: int
    active: bool
    checked: datetime


def series_of_pairs(pairs: Iterable[Pair]) -> list[tuple[str, str, Pair, int]]:
    """Which series an exchange's pairs are: symbol, quote, the pair and its factor, sorted by symbol and quote.

    Where several pairs are of one coin in one quote, as SATS and 1000SATS, there is one series all the same: the
    pair that is traded, and of those the one with the least factor, which is the coin itself if it is listed.
    """
    chosen: dict[tuple[str, str], tuple[str, str, Pair, int]] = {}
    for pair in pairs:
        symbol, factor = listed_asset(pair.base)
        key, found = (symbol, pair.quote), (symbol, pair.quote, pair, factor)
        held = chosen.get(key)
        if held is None or (not pair.active, factor) < (not held[2].active, held[3]):
            chosen[key] = found
    return [chosen[key] for key in sorted(chosen)]


@dataclass(frozen=True)
class Listings:
    """What every exchange was last heard to say; never changed. ``etag`` is the entity tag it was read under."""

    every: tuple[Listing, ...] = ()
    etag: str = field(default="", compare=False)

    def seen(self, exchange: str, pairs: Sequence[Pair], at: datetime) -> "Listings":
        """What is known once ``exchange`` has told its whole list, at ``at`` (UTC).

        Pairs that are not in it any more become inactive. If more than a quarter of the pairs that were active,
        and four or more, are not at once, that is maintenance: those stay as they were, and all else is taken in.
        An empty list says nothing. Raises `InvalidInput` for a name that is no exchange's.
        """
        if _EXCHANGE.fullmatch(exchange) is None:
            raise InvalidInput(f"{exchange!r:.60} is not the name of an exchange")
        if not pairs:
            return self
        before = {(item.symbol, item.quote): item for item in self.every if item.exchange == exchange}
        now = {
            (symbol, quote): Listing(symbol, quote, exchange, str(pair), factor, pair.active, at)
            for symbol, quote, pair, factor in series_of_pairs(pairs)
        }
        for key, item in before.items():
            if key not in now:
                now[key] = replace(item, active=False, checked=at)
        active = [key for key, item in before.items() if item.active]
        lost = [key for key in active if not now[key].active]
        if len(lost) >= _COLLECTIVE_LEAST and len(lost) > _COLLECTIVE_SHARE * len(active):
            _LOG.warning(
                "%s lists %d of %d pairs as not traded, all at once: taken for maintenance",
                exchange,
                len(lost),
                len(active),
            )
            now.update((key, before[key]) for key in lost)
        now.update((key, before[key]) for key in before.keys() & now.keys() if _repeats(before[key], now[key]))
        others = (item for item in self.every if item.exchange != exchange)
        return Listings(_sorted([*others, *now.values()]), self.etag)

    def of(self, symbol: str, quote: str) -> Sequence[Listing]:
        """What each exchange says of a coin in a quote, by exchange."""
        return self._by_series.get((symbol, quote), ())

    def listing(self, symbol: str, quote: str, exchange: str) -> Listing | None:
        """What one exchange says of a coin in a quote, if it has said anything."""
        return next((item for item in self.of(symbol, quote) if item.exchange == exchange), None)

    def factor(self, symbol: str, quote: str, exchange: str) -> int:
        """How many of the coin make one unit of its pair at the exchange; 1 where nothing is known."""
        found = self.listing(symbol, quote, exchange)
        return 1 if found is None else found.factor

    def retired(self, symbol: str, quote: str) -> bool:
        """Whether some exchange has listed the coin in this quote, and none does now."""
        return (symbol, quote) in self.retired_series

    @cached_property
    def retired_series(self) -> frozenset[tuple[str, str]]:
        """Symbol and quote of everything that is retired."""
        return frozenset(key for key, items in self._by_series.items() if not any(item.active for item in items))

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """The coin behind each multiplied name that exchanges use, as ``1000SATS``."""
        return {item.pair.partition("/")[0]: item.symbol for item in self.every if item.factor != 1}

    @cached_property
    def meaning(self) -> frozenset[tuple[str, str, str, str, int, bool]]:
        """All of it but when it was checked: two of the same meaning serve alike."""
        return frozenset(
            (item.symbol, item.quote, item.exchange, item.pair, item.factor, item.active) for item in self.every
        )

    @cached_property
    def _by_series(self) -> Mapping[tuple[str, str], Sequence[Listing]]:
        found: dict[tuple[str, str], list[Listing]] = {}
        for item in self.every:
            found.setdefault((item.symbol, item.quote), []).append(item)
        return found

    def to_bytes(self) -> bytes:
        """The listings as JSON, equal ones as equal bytes; what goes without saying is left out."""
        exchanges: dict[str, Any] = {}
        for item in self.every:
            found = exchanges.setdefault(item.exchange, {"checked": "", "pairs": []})
            found["checked"] = max(found["checked"], rfc3339(item.checked))
        for item in self.every:
            found = exchanges[item.exchange]
            value: dict[str, Any] = {"symbol": item.symbol, "quote": item.quote}
            if item.pair != f"{item.symbol}/{item.quote}":
                value["pair"] = item.pair
            if item.factor != 1:
                value["factor"] = item.factor
            if not item.active:
                value["active"] = False
            if rfc3339(item.checked) != found["checked"]:
                value["checked"] = rfc3339(item.checked)
            found["pairs"].append(value)
        value = {"format": LISTINGS_FORMAT, "exchanges": exchanges}
        return (json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, etag: str = "") -> "Listings":
        """Read `to_bytes`'s form; raise `OperatorError` if it is malformed or of an unknown format."""
        try:
            value = json.loads(data)
            known = value["format"]
            if known != LISTINGS_FORMAT:
                raise OperatorError(
                    f"{LISTINGS_KEY} is of format {known!r:.20} and only {LISTINGS_FORMAT} is known here: a newer "
                    "version wrote it"
                )
            items = [
                _listing(exchange, item, told["checked"])
                for exchange, told in value["exchanges"].items()
                for item in told["pairs"]
            ]
            if len({(item.symbol, item.quote, item.exchange) for item in items}) != len(items):
                raise ValueError("a series stands there twice")
        except (
            CallerError,
            KeyError,
            TypeError,
            ValueError,
            ArithmeticError,
            AttributeError,
            RecursionError,
        ) as error:
            raise OperatorError(f"{LISTINGS_KEY} is malformed: {str(error)[:100]!r}") from error
        return cls(_sorted(items), etag)


class ListingBook:
    """The listings in ``store``, at `LISTINGS_KEY`. Blocking, and safe beside other readers and writers.

    An update is tried ``attempts`` times.
    """

    def __init__(self, store: ObjectStore, *, attempts: int = _ATTEMPTS) -> None:
        self._store = store
        self._attempts = attempts

    def read(self, held: Listings | None = None) -> Listings:
        """What is known; nothing, if there is no such object. ``held`` itself where it has not changed since.

        Raises `OperatorError` for an object that cannot be understood, and what the store raises.
        """
        try:
            if held is None or not held.etag:
                stored = self._store.get(LISTINGS_KEY)
            else:
                found = self._store.get_if_changed(LISTINGS_KEY, held.etag)
                if found is None:
                    return held
                stored = found
        except ObjectNotFound:
            return Listings()
        return Listings.from_bytes(stored.data, stored.etag)

    def update(self, change: Callable[[Listings], Listings]) -> Listings:
        """Write what ``change`` makes of what is known, and return it; nothing is written if nothing changes.

        ``change`` is called again where somebody else wrote meanwhile. Raises as `read` does, and then writes
        nothing; `WriteConflict` if others kept winning.
        """
        for attempt in range(self._attempts):
            held = self.read()
            wanted = change(held)
            if wanted == held:
                return held
            data = wanted.to_bytes()
            try:
                if held.etag:
                    etag = self._store.replace(LISTINGS_KEY, data, held.etag)
                else:
                    etag = self._store.create(LISTINGS_KEY, data)
            except WriteConflict:
                # stand back for a while that grows, and differs from what others wait
                time.sleep(secrets.randbelow(1 + 10 * 2 ** min(attempt, 6)) / 1000)
                continue
            # as anybody will read it: times to the second
            return Listings.from_bytes(data, etag)
        raise WriteConflict(LISTINGS_KEY)


def _repeats(before: Listing, now: Listing) -> bool:
    # a clock that was set back is no reason to keep a time that lies ahead
    return (
        replace(before, checked=now.checked) == now and timedelta(0) <= now.checked - before.checked < _SAID_AGAIN
    )


def _sorted(items: Iterable[Listing]) -> tuple[Listing, ...]:
    return tuple(sorted(items, key=lambda item: (item.exchange, item.symbol, item.quote)))


def _listing(exchange: Any, item: Any, checked: Any) -> Listing:
    symbol, quote, factor, active = item["symbol"], item["quote"], item.get("factor", 1), item.get("active", True)
    pair = item.get("pair", f"{symbol}/{quote}")
    if _EXCHANGE.fullmatch(exchange) is None or _PAIR.fullmatch(pair) is None:
        raise ValueError("an exchange or a pair without a name")
    if symbol != parse_asset(symbol) or quote != parse_asset(quote):
        raise ValueError("a symbol that is not in capitals")
    if type(factor) is not int or not 1 <= factor <= _LARGEST_FACTOR or type(active) is not bool:
        raise ValueError("a factor that is no number from 1 on, or neither active nor not")
    return Listing(
        symbol, quote, exchange, pair, factor, active, parse_time(item.get("checked", checked)).astimezone(UTC)
    )
