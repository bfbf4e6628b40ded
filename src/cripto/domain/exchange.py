"""Names of exchanges, and where each is reached."""

import re

from cripto.errors import InvalidInput

__all__ = ["parse_exchange"]

_ENTRY = re.compile(r"([a-z0-9]{1,40})(?:=(https?://[^\s,]+))?", re.ASCII)


def parse_exchange(text: str) -> tuple[str, str | None]:
    """Read ``name`` or ``name=URL``, the URL of a mirror; raise `InvalidInput`. Any name will do."""
    found = _ENTRY.fullmatch(text.strip())
    if found is None:
        raise InvalidInput("an exchange is `name` or `name=https://mirror`, the name in small letters")
    return found[1], found[2]
