"""Whether exchanges answer at all, within a time for all of them together."""

import asyncio
from collections.abc import Mapping, Sequence

from cripto.errors import ExchangeDenied, ExchangeUnavailable
from cripto.market.source import CandleSource

__all__ = ["reach"]


async def reach(sources: Sequence[CandleSource], seconds: float) -> Mapping[str, str | None]:
    """Ask all sources the time at once: the name of each, and why it gave no answer; ``None`` if it did.

    Takes ``seconds`` at most, whatever they do. Sources should ask once only. Raises what is no failure of an
    exchange.
    """
    asked = {source.name: asyncio.ensure_future(source.server_time()) for source in sources}
    if asked:
        await asyncio.wait(asked.values(), timeout=seconds)
    found: dict[str, str | None] = {}
    for name, answer in asked.items():
        if not answer.done():
            answer.cancel()
            found[name] = f"no answer within {seconds:g} s"
        elif (error := answer.exception()) is None:
            found[name] = None
        elif isinstance(error, ExchangeDenied | ExchangeUnavailable):
            found[name] = error.reason
        else:
            raise error
    await asyncio.gather(*asked.values(), return_exceptions=True)
    return found
