"""What a caller likes better: ``Accept`` and ``Accept-Encoding`` with their weights (RFC 9110, 12.4, 12.5)."""

import re
from collections.abc import Iterator, Sequence

from starlette.requests import Request

__all__ = ["header_of", "preferred_media", "wants_gzip"]

# a quoted string may hold the separators; possessive, so that no header makes it look twice at a character
_ITEM = re.compile(r'(?:[^,"]++|"(?:[^"\\]++|\\.)*+"?+)++')
_PARAMETER = re.compile(r'(?:[^;"]++|"(?:[^"\\]++|\\.)*+"?+)++')
_WEIGHT = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?")


def header_of(request: Request, name: str) -> str | None:
    """The whole of a list header, which may come in several lines; ``None`` if there is none."""
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None


def preferred_media(accept: str | None, offered: Sequence[str]) -> str:
    """Which of the ``offered`` types the caller likes best, the first of them where that says nothing.

    What is liked equally is decided by who is named more exactly, then by the order of ``offered``. A caller that
    takes none of them gets the first: better an answer than none.
    """
    if accept is None:
        return offered[0]
    ranges = list(_weighted(accept))
    best, best_rank = offered[0], (0.0, 0)
    for media in offered:
        rank = _rank(media, ranges)
        if rank[0] > 0 and rank > best_rank:
            best, best_rank = media, rank
    return best


def wants_gzip(accept_encoding: str | None) -> bool:
    """Whether the caller takes gzip, and likes it no less than what is not encoded."""
    if accept_encoding is None:
        return False
    weights = {"gzip" if name == "x-gzip" else name: weight for name, weight in _weighted(accept_encoding)}
    anything = weights.get("*", 0.0)
    gzip = weights.get("gzip", anything)
    return gzip > 0 and gzip >= weights.get("identity", anything)


def _rank(media: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """The weight that the most exact of ``ranges`` gives ``media``, and how exact it is."""
    found = (0.0, 0)
    for exactness, pattern in ((1, "*/*"), (2, f"{media.partition('/')[0]}/*"), (3, media)):
        for name, weight in ranges:
            if name == pattern:
                found = (weight, exactness)
    return found


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    """Each item of a list header, lower-case, without parameters, and its weight; malformed ones are left out."""
    for item in _ITEM.findall(header):
        name, _, parameters = item.partition(";")
        weight = 1.0
        for parameter in _PARAMETER.findall(parameters):
            key, _, value = parameter.partition("=")
            if key.strip().lower() == "q":
                weight = float(value.strip()) if _WEIGHT.fullmatch(value.strip()) else -1.0
        if name.strip() and weight >= 0:
            yield name.strip().lower(), weight
