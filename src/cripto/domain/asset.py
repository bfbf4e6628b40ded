"""Asset and quote symbols."""

import re

from cripto.errors import InvalidAsset, InvalidInput

__all__ = ["ASSET_PATTERN", "parse_asset", "parse_quote"]

ASSET_PATTERN = r"^[A-Za-z0-9]{1,20}$"
_SYMBOL = re.compile(r"[A-Za-z0-9]{1,20}", re.ASCII)


def parse_asset(text: str) -> str:
    """Return the upper-case symbol; raise `InvalidAsset` unless it is 1 to 20 ASCII letters or digits."""
    if _SYMBOL.fullmatch(text) is None:
        raise InvalidAsset(text)
    return text.upper()


def parse_quote(text: str) -> str:
    """Return the upper-case quote symbol, of the same form as an asset; raise `InvalidInput`."""
    if _SYMBOL.fullmatch(text) is None:
        raise InvalidInput(f"{text!r} is not a quote symbol: 1 to 20 letters or digits")
    return text.upper()
