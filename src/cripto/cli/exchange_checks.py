"""What ``cripto doctor`` asks the exchanges: whether each answers, how far our clock is off, what it lists."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cripto.cli.wiring import Installation
from cripto.errors import CriptoError, ExchangeDenied, ExchangeUnavailable

if TYPE_CHECKING:
    from cripto.domain.clock import Clock
    from cripto.market.source import CandleSource

__all__ = ["Asked", "ask_exchanges"]

Asked = tuple[str, str, str]
"""The name of an exchange, what was seen, and what to do about it (empty if nothing)."""

_SECONDS = 15.0
_FAR_OFF = timedelta(seconds=5)


def ask_exchanges(parts: Installation) -> list[Asked] | str:
    """Ask all configured exchanges at once, within 15 seconds; or why none is asked."""
    if parts.settings.exchanges == "none":
        return "CRIPTO_EXCHANGES is none"
    if find_spec("ccxt") is None:
        return "cripto[collect] is not installed: no candles are fetched from here"
    return asyncio.run(_ask(parts))


async def _ask(parts: Installation) -> list[Asked]:
    from cripto.market._patience import Patience
    from cripto.market.exchange import Exchange

    once = Patience(attempts=1, total=0.0)
    async with AsyncExitStack() as stack:
        sources: list[CandleSource] = []
        refused: list[Asked] = []
        for name, url in parts.settings.exchange_entries:
            try:
                source = Exchange(name, clock=parts.clock, url=url, patience=once, timeout=_SECONDS)
            except CriptoError as error:
                refused.append((name, str(error), "correct CRIPTO_EXCHANGES"))
                continue
            sources.append(await stack.enter_async_context(source))
        return [*refused, *await _answers(sources, parts.clock)]


async def _answers(sources: "Sequence[CandleSource]", clock: "Clock") -> list[Asked]:
    async def one(source: "CandleSource") -> Asked:
        try:
            async with asyncio.timeout(_SECONDS):
                before = clock.now()
                told = await source.server_time()
                # half the way there and back: the answer is as old as that
                ahead = told - before - (clock.now() - before) / 2
                listed = await source.pairs()
        except TimeoutError:
            return source.name, f"no answer within {_SECONDS:g} s", "check the network, a proxy or a firewall"
        except ExchangeUnavailable as error:
            return source.name, error.reason, "check the network, a proxy or a firewall; or it is down"
        except ExchangeDenied as error:
            return source.name, error.reason, "name another exchange, or a mirror, in CRIPTO_EXCHANGES"
        seconds = ahead.total_seconds()
        where = "behind" if seconds > 0 else "ahead"
        seen = f"answers and lists {len(listed)} spot pairs; our clock is {abs(seconds):.1f} s {where}"
        return source.name, seen, "set this machine's clock" if abs(ahead) > _FAR_OFF else ""

    return list(await asyncio.gather(*(one(source) for source in sources)))
