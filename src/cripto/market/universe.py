"""Which series to collect: the assets that are wanted, each in one quote, and the exchanges that list it there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cripto.domain.asset import parse_asset
from cripto.errors import InvalidAsset, InvalidInput
from cripto.market.source import Pair

__all__ = ["DOLLARS", "PEGGED", "Choice", "Offer", "Target", "Universe", "choose", "parse_universe"]

DOLLARS = ("USDT", "USDC", "USD")
"""Quotes that are worth a dollar, within a few parts in a hundred: their prices and volumes can be compared."""

PEGGED = frozenset(
    # coins that follow a currency, as their issuers say
    "USDT USDC USD1 USDE USDS USDP USDD USDG USDQ USDR FDUSD TUSD BUSD DAI PYUSD RLUSD GUSD LUSD SUSD FRAX XUSD BFUSD "
    "AEUR EURC EURI EURT EURQ EURR EURS EURCV BRZ BRL1 XSGD MXNB TRYB IDRT BIDR BVND "
    # currencies, by ISO 4217
    "USD EUR GBP BRL TRY AUD CAD CHF JPY ARS MXN PLN RON ZAR UAH CZK IDR COP NGN RUB INR KRW SGD HKD NZD".split()
)
"""Bases that follow a currency, or are one: they are traded most and have nothing to forecast."""

_TOP = re.compile(r"top:([1-9][0-9]{0,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Universe:
    """Named ``assets``; or else the ``top`` that are traded most; or else, if neither is given, all."""

    assets: tuple[str, ...] = ()
    top: int | None = None

    def __str__(self) -> str:
        if self.assets:
            return ",".join(self.assets)
        return "all" if self.top is None else f"top:{self.top}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A pair by which an exchange tells an asset; its prices are those of ``factor`` units."""

    exchange: str
    pair: Pair
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Target:
    """An asset in one quote: who offers it, in order; ``witnesses`` offer it in another dollar, to compare with."""

    symbol: str
    quote: str
    offers: tuple[Offer, ...]
    witnesses: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What to collect, sorted by symbol; and assets that were named, and that nobody lists."""

    targets: tuple[Target, ...]
    unknown: tuple[str, ...] = ()


def parse_universe(text: str) -> Universe:
    """Read ``all``, ``top:N`` or a list ``BTC,ETH``; raise `InvalidInput`."""
    if text.strip().lower() == "all":
        return Universe()
    if found := _TOP.fullmatch(text.strip().lower()):
        return Universe(top=int(found[1]))
    try:
        names = tuple(dict.fromkeys(parse_asset(part.strip()) for part in text.split(",")))
    except InvalidAsset as error:
        raise InvalidInput("a universe is `all`, `top:N`, or assets separated by commas: BTC,ETH") from error
    return Universe(assets=names)


def choose(lists: Mapping[str, Sequence[Pair]], universe: Universe, quotes: Sequence[str]) -> Choice:
    """Choose series from what exchanges list; ``lists`` and ``quotes`` are in order of preference.

    An asset is collected in the first quote in which it is traded (where it is traded no more, in which it is
    listed, if it was named). Exchanges that trade it come before those that only list it. Raises nothing.
    """
    offered = _offered(lists)
    named = set(universe.assets)
    targets = []
    for symbol in sorted(named or {asset for asset, _ in offered}):
        target = _target(symbol, offered, quotes, wanted=bool(named))
        if target is not None:
            targets.append(target)
    if universe.top is not None:
        ranked = sorted(
            (target for target in targets if target.symbol not in PEGGED), key=lambda target: _rank(target, quotes)
        )
        targets = sorted(ranked[: universe.top], key=lambda target: target.symbol)
    return Choice(tuple(targets), tuple(sorted(named - {target.symbol for target in targets})))


def _offered(lists: Mapping[str, Sequence[Pair]]) -> dict[tuple[str, str], list[Offer]]:
    """By asset and quote, one offer for each exchange: of several the traded, then the undivided one."""
    offered: dict[tuple[str, str], list[Offer]] = {}
    for exchange, pairs in lists.items():
        best: dict[tuple[str, str], Offer] = {}
        for pair in pairs:
            symbol, factor = _asset(pair.base)
            offer, other = Offer(exchange, pair, factor), best.get((symbol, pair.quote))
            if other is None or (not pair.active, factor) < (not other.pair.active, other.factor):
                best[symbol, pair.quote] = offer
        for key, offer in best.items():
            offered.setdefault(key, []).append(offer)
    return offered


def _asset(base: str) -> tuple[str, int]:
    return base, 1


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
