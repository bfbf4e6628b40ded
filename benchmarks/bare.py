"""The same bytes for every request, as bare ASGI. What it imports any environment has, granian's too."""

from typing import Any

__all__ = ["app"]

BODY = b"x" * 1150  # as long as an answer of five models
HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"1150"),
    (b"etag", b'"0123456789abcdef0123456789abcdef"'),
]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer anything."""
    if scope["type"] == "lifespan":
        while True:
            asked = (await receive())["type"]
            await send({"type": f"{asked}.complete"})
            if asked == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
