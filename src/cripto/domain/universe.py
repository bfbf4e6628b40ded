"""Which assets candles are collected of."""

import re
from dataclasses import dataclass

from cripto.domain.asset import parse_asset
from cripto.errors import InvalidAsset, InvalidInput

__all__ = ["Universe", "parse_universe"]

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
