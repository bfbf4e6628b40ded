"""Which series to collect: the assets that are wanted, each in one quote, and the exchanges that list it there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cripto.domain.universe import Universe
from cripto.market.identity import RENAMES, listed_asset
from cripto.market.listings import series_of_pairs
from cripto.market.source import Pair

__all__ = ["DOLLARS", "PEGGED", "Choice", "Offer", "Target", "choose"]

DOLLARS = ("USDT", "USDC", "USD")
"""Quotes that are worth a dollar, within a few parts in a hundred: their prices and volumes can be compared."""

PEGGED = frozenset(
    {
        # coins that follow the dollar, as their issuers say
        *(
            "USDT",
            "USDC",
            "FDUSD",
            "TUSD",
            "BUSD",
            "DAI",
            "PYUSD",
            "RLUSD",
            "GUSD",
            "USDP",
            "USDD",
            "USDE",
            "USDS",
        ),
        *("USD1", "USDG", "USDQ", "XUSD", "LUSD", "FRAX"),
        # and other currencies
        *("AEUR", "EURC", "EURI", "EURT", "EURQ", "EURR", "BRZ"),
        # currencies, by ISO 4217
        *("USD", "EUR", "GBP", "BRL", "TRY", "AUD", "CAD", "CHF", "JPY", "ARS", "MXN", "PLN", "RON", "ZAR", "UAH"),
    }
)
"""Bases that follow a currency, or are one: they are traded most and have nothing to forecast."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A pair by which an exchange tells an asset; its prices are those of ``factor`` units."""

    exchange: str
    pair: Pair
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """An asset in one quote, and who offers it, in order; ``witnesses`` offer it in another dollar."""

    symbol: str
    quote: str
    offers: tuple[Offer, ...]
    witnesses: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What to collect, sorted by symbol; and assets that were named, and that nobody lists."""

    targets: tuple[Target, ...]
    unknown: tuple[str, ...] = ()


def choose(lists: Mapping[str, Sequence[Pair]], universe: Universe, quotes: Sequence[str]) -> Choice:
    """Choose series from what exchanges list; ``lists`` and ``quotes`` are in order of preference.

    An asset is collected in the first quote in which it is traded (where it is traded no more, in which it is
    listed, if it was named). Exchanges that trade it come before those that only list it. An asset may be named
    by a multiple of it, or by the name it had before, if nobody lists that any more. Raises nothing.
    """
    offered = _offered(lists)
    assets = {asset for asset, _ in offered}
    named = {name: _meant(name, assets) for name in universe.assets}
    targets = []
    for symbol in sorted(set(named.values()) if named else assets):
        target = _target(symbol, offered, quotes, wanted=bool(named))
        if target is not None:
            targets.append(target)
    if universe.top is not None:
        ranked = sorted(
            (target for target in targets if target.symbol not in PEGGED), key=lambda target: _rank(target, quotes)
        )
        targets = sorted(ranked[: universe.top], key=lambda target: target.symbol)
    found = {target.symbol for target in targets}
    return Choice(tuple(targets), tuple(sorted(name for name, symbol in named.items() if symbol not in found)))


def _meant(name: str, assets: Collection[str]) -> str:
    symbol = name if name in assets else listed_asset(name)[0]
    return symbol if symbol in assets else RENAMES.get(symbol, symbol)


def _offered(lists: Mapping[str, Sequence[Pair]]) -> dict[tuple[str, str], list[Offer]]:
    """By asset and quote, one offer for each exchange that lists it."""
    offered: dict[tuple[str, str], list[Offer]] = {}
    for exchange, pairs in lists.items():
        for symbol, quote, pair, factor in series_of_pairs(pairs):
            offered.setdefault((symbol, quote), []).append(Offer(exchange, pair, factor))
    return offered


def _target(
    symbol: str, offered: Mapping[tuple[str, str], list[Offer]], quotes: Sequence[str], *, wanted: bool
) -> Target | None:
    listed = [quote for quote in quotes if (symbol, quote) in offered]
    traded = [quote for quote in listed if any(offer.pair.active for offer in offered[symbol, quote])]
    if not (traded or (wanted and listed)):
        return None
    quote = (traded or listed)[0]
    others = [other for other in DOLLARS if other != quote and quote in DOLLARS]
    return Target(
        symbol,
        quote,
        tuple(sorted(offered[symbol, quote], key=lambda offer: not offer.pair.active)),
        tuple(offer for other in others for offer in offered.get((symbol, other), []) if offer.pair.active),
    )


def _rank(target: Target, quotes: Sequence[str]) -> tuple[int, float, str]:
    """Dollars first, since only their volumes can be compared; then the other quotes, in order."""
    volume = sum(offer.pair.quote_volume or 0.0 for offer in target.offers)
    group = -1 if target.quote in DOLLARS else quotes.index(target.quote)
    return group, -volume, target.symbol
