"""Answers that may go out compressed: where the caller takes gzip, and there is more than a packet to save."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from cripto.serving.caching import matches
from cripto.serving.desk import Desk
from cripto.serving.negotiation import header_of, wants_gzip

__all__ = ["Content", "gzipped", "send"]

_PACKET = 1400
"""Bytes that travel in one packet, whatever they are: compressing them would save nobody anything."""
_LEVEL = 3  # docs/adr/0013: the last level before the price doubles
_GZIP = 31  # zlib's number for a gzip frame; it holds no time, so that every replica gives the same bytes


@dataclass(frozen=True, slots=True)
class Content:
    """A body before it is known how it travels; ``etag`` is that of its plain form, with its quotes."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]
    etag: str | None = None


def gzipped(body: bytes) -> bytes:
    """``body`` in a gzip frame; equal bodies, equal bytes."""
    return zlib.compress(body, _LEVEL, _GZIP)


async def send(request: Request, content: Content, desk: Desk) -> Response:
    """The answer to ``request``: compressed, off the event loop, where that pays; 304 where the caller has it.

    Each form has a tag of its own, since a strong one names bytes.
    """
    zipped = len(content.body) > _PACKET and wants_gzip(header_of(request, "accept-encoding"))
    headers = {"vary": "Accept-Encoding", **content.headers}
    if content.etag is not None:
        headers["etag"] = f'{content.etag[:-1]}-gzip"' if zipped else content.etag
        if matches(header_of(request, "if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
    body = content.body
    if zipped:
        headers["content-encoding"] = "gzip"
        body = await desk.run(partial(gzipped, body))
    return Response(body, headers=headers, media_type=content.media_type)
