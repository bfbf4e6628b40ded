"""What fetches and follows candles beside a server: ``python -m cripto.cli.gatherer [--anyway]``.

Started by `cripto.cli.gathering` alone, for ``cripto up``: no process that serves may import an exchange client.
It tells its parent one JSON object a line on standard output, logs on standard error, and ends with its parent.
"""

import asyncio
import json
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cripto.cli.collecting import collecting, exchanges, stopping, unless
from cripto.cli.wiring import Installation
from cripto.errors import CriptoError

if TYPE_CHECKING:
    from cripto.market.fetch_report import FetchReport, Progress

__all__ = ["CANDLES", "REACH_SECONDS", "UNIVERSE", "main"]

REACH_SECONDS = 5.0
"""How long all exchanges together are tried for."""
UNIVERSE = "top:30"
"""What is fetched where CRIPTO_UNIVERSE is not set: enough to train on, in less than a minute."""
CANDLES = 1000
"""How many of each series: enough to train on."""


def main(anyway: bool) -> None:
    """Try the exchanges; if one answers, or ``anyway``, fetch and then follow until told to stop."""
    from cripto.cli.ending import told
    from cripto.cli.lifeline import end_with_parent, end_with_stdin
    from cripto.cli.logs import configure_logging
    from cripto.cli.wiring import installation

    # one of them alone: a second signal would end it before what has arrived is written
    if not end_with_parent():
        end_with_stdin()
    with told():
        parts = installation()
        configure_logging(parts.settings.log_level, readable=sys.stderr.isatty())
        asyncio.run(_gather(parts, anyway))


async def _gather(parts: Installation, anyway: bool) -> None:
    from cripto.domain.interval import parse_interval
    from cripto.domain.universe import parse_universe
    from cripto.market.following import Following

    settings = parts.settings
    with stopping() as stop:
        found = await unless(stop, _reach(parts))
        if found is None:
            return
        _say("tried", failures=found)
        entries = [entry for entry in settings.exchange_entries if found[entry[0]] is None]
        if not entries and not anyway:
            return
        universe = parse_universe(settings.universe if "universe" in settings.model_fields_set else UNIVERSE)
        steps = [parse_interval(name) for name in (settings.interval, *settings.further_intervals)]
        async with collecting(parts, entries or settings.exchange_entries) as collector:

            async def first() -> "FetchReport":
                choice = await collector.choose(universe, settings.quotes)
                return await collector.fetch(choice.targets, steps, CANDLES, stop=stop, told=_progress)

            _say("fetched", **_outcome(await _failing(unless(stop, first()))))
            await Following(collector, universe, settings.quotes, steps, CANDLES, stop).run()


async def _reach(parts: Installation) -> dict[str, str | None]:
    """Why each exchange gave no answer; ``None`` for those that did."""
    from cripto.market.patience import Patience
    from cripto.market.reaching import reach

    once = Patience(attempts=1, total=0.0)
    entries = parts.settings.exchange_entries
    async with exchanges(parts, entries, patience=once, timeout=REACH_SECONDS) as sources:
        return dict(await reach(sources, REACH_SECONDS))


async def _failing(fetch: "Coroutine[Any, Any, FetchReport | None]") -> "FetchReport | str | None":
    """The report, or why there is none; whoever follows tries again."""
    try:
        return await fetch
    except CriptoError as error:
        return str(error)


def _outcome(report: "FetchReport | str | None") -> dict[str, Any]:
    """What the parent hears of the first fetch."""
    if report is None or isinstance(report, str):
        return {"candles": 0, "series": 0, "failed": 0, "reason": report or "it was stopped"}
    reasons = [str(error) for item in report.failed for _, error in item.failures]
    return {
        "candles": report.total("inserted") + report.total("updated"),
        "series": len(report.outcomes),
        "failed": len(report.failed),
        "reason": next(iter(reasons), None),
    }


def _progress(progress: "Progress") -> None:
    _say("progress", done=progress.done, series=progress.series, candles=progress.candles)


def _say(event: str, **values: object) -> None:
    # whoever does not listen any more is about to end us
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main("--anyway" in sys.argv[1:])
