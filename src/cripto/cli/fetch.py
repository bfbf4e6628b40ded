"""``cripto candles fetch``: candles from exchanges into the store, once or for as long as nobody stops it."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cripto.cli.collecting import collecting, stopping, unless
from cripto.cli.console import errors, output, print_json, print_json_line, progress_bar
from cripto.cli.exits import FOUND, LATER, OPERATOR
from cripto.cli.logs import configure_logging
from cripto.cli.options import AsJson
from cripto.cli.wiring import Installation, installation
from cripto.domain.exchange import parse_exchange
from cripto.domain.interval import Interval, parse_interval
from cripto.domain.universe import Universe, parse_universe
from cripto.errors import InvalidInput

if TYPE_CHECKING:
    from cripto.market.collector import Collector
    from cripto.market.fetch_report import FetchReport, Progress
    from cripto.market.universe import Choice

__all__ = ["fetch", "fetch_exit"]

_LOG = logging.getLogger(__name__)
_SHOWN = 10
_SAY_SECONDS = 10.0
_QUIET_SECONDS = 5.0


def fetch(
    exchange: Annotated[
        list[str] | None,
        typer.Option(help="Exchange, as `name` or `name=https://mirror`; repeat in order of preference."),
    ] = None,
    symbols: Annotated[str | None, typer.Option(help="Assets, separated by commas: BTC,ETH.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every asset that is traded in one of CRIPTO_QUOTE.")
    ] = False,
    top: Annotated[int | None, typer.Option(min=1, help="The N assets that are traded most.")] = None,
    interval: Annotated[
        list[str] | None,
        typer.Option(help="Candle interval; repeat for several. Those that are served by default."),
    ] = None,
    since: Annotated[
        str, typer.Option(help="A date (UTC), or a number of candles back from now.", metavar="DATE|N")
    ] = "1000",
    follow: Annotated[bool, typer.Option(help="Go on: fetch what is new just after each close.")] = False,
    again: Annotated[bool, typer.Option(help="Also ask for what exchanges are remembered not to have.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch candles from exchanges: only what the store lacks, and the last few again, which may be revised.

    Safe to kill at any moment, to repeat, and to run twice at once. Ctrl+C writes what has arrived. Exit code 0 if
    all was fetched; 75 if something failed that may work later, or it was stopped; 3 if every exchange refuses us;
    1 if an asset is unknown or a candle was quarantined or held back.
    """
    parts = installation()
    universe = _universe(parts, symbols, every=every, top=top)
    entries = _entries(parts, exchange) if exchange else None
    steps = [
        parse_interval(name)
        for name in dict.fromkeys(interval or [parts.settings.interval, *parts.settings.further_intervals])
    ]
    start = _since(since)
    if isinstance(start, datetime) and start > (now := parts.clock.now()):
        raise InvalidInput(f"--since is still to come: it is {now:%Y-%m-%d %H:%M} here (UTC)")
    if follow:
        configure_logging(parts.settings.log_level, readable=sys.stderr.isatty())
        asyncio.run(_follow(parts, universe, entries, steps, start, again=again, as_json=as_json))
        return
    report = asyncio.run(_once(parts, universe, entries, steps, start, again=again))
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    if code := fetch_exit(report):
        raise typer.Exit(code)


def fetch_exit(report: "FetchReport") -> int:
    """The exit code of a fetch."""
    remedies = set(report.remedies())
    if "retry" in remedies:
        return LATER
    if "operator" in remedies:
        return OPERATOR
    return FOUND if remedies or report.rules or report.total("held_back") else 0


async def _once(
    parts: Installation,
    universe: Universe,
    entries: list[tuple[str, str | None]] | None,
    steps: list[Interval],
    since: datetime | int,
    *,
    again: bool,
) -> "FetchReport":
    with stopping() as stop, progress_bar() as bars:
        task = bars.add_task("reading lists of pairs", total=None)
        began = 0.0

        def told(progress: "Progress") -> None:
            nonlocal began
            began = began or time.monotonic()
            rate = progress.candles / max(time.monotonic() - began, 0.001)
            resting = f", without {' '.join(progress.resting)}" if progress.resting else ""
            bars.update(
                task,
                description=f"{progress.candles:,} candles, {rate:,.0f}/s{resting}",
                completed=progress.done,
                total=progress.series,
            )

        async with collecting(parts, entries) as collector:
            choice = await unless(stop, _choose(collector, universe, parts.settings.quotes))
            if choice is None:
                return _stopped()
            for failure in collector.failures.values():
                errors.print(f"left out: {failure}", markup=False)
            report = await collector.fetch(choice.targets, steps, since, again=again, stop=stop, told=told)
            report.unknown = choice.unknown
            return report


async def _choose(collector: "Collector", universe: Universe, quotes: Sequence[str]) -> "Choice":
    """Choose, and say whom it waits for if that takes long: they are asked again and again, maybe for minutes."""

    def waiting() -> None:
        names = ", ".join(collector.unheard)
        errors.print(f"no list of pairs yet from {names}: still asking (Ctrl+C stops)", markup=False)

    notice = asyncio.get_running_loop().call_later(_QUIET_SECONDS, waiting)
    try:
        return await collector.choose(universe, quotes)
    finally:
        notice.cancel()


def _stopped() -> "FetchReport":
    from cripto.market.fetch_report import FetchReport

    return FetchReport(interrupted=True)


async def _follow(
    parts: Installation,
    universe: Universe,
    entries: list[tuple[str, str | None]] | None,
    steps: list[Interval],
    since: datetime | int,
    *,
    again: bool,
    as_json: bool,
) -> None:
    from cripto.market.following import Following

    said = time.monotonic()

    def told(progress: "Progress") -> None:
        nonlocal said
        if time.monotonic() - said >= _SAY_SECONDS:
            said = time.monotonic()
            extra = {"done": progress.done, "series": progress.series, "candles": progress.candles}
            _LOG.info("fetching", extra=extra)

    def passed(report: "FetchReport") -> None:
        if as_json:
            print_json_line({name: value for name, value in report.to_json().items() if name != "series"})

    with stopping() as stop:
        async with collecting(parts, entries) as collector:
            await Following(
                collector,
                universe,
                parts.settings.quotes,
                steps,
                since,
                stop,
                again=again,
                told=told,
                passed=passed,
            ).run()


def _entries(parts: Installation, exchange: list[str]) -> list[tuple[str, str | None]]:
    """Exchanges in order, each once; where no address is given, the mirror that the settings name."""
    named = dict(parse_exchange(text) for text in reversed(exchange))
    mirrors = dict(parts.settings.exchange_entries)
    return [(name, named[name] or mirrors.get(name)) for name in reversed(named)]


def _universe(parts: Installation, symbols: str | None, *, every: bool, top: int | None) -> Universe:
    if sum((symbols is not None, every, top is not None)) > 1:
        raise InvalidInput("give one of --symbols, --all and --top")
    if symbols is not None:
        universe = parse_universe(symbols)
        if not universe.assets:
            raise InvalidInput("--symbols takes assets separated by commas: BTC,ETH")
        return universe
    if every or top is not None:
        return Universe(top=top)
    return parse_universe(parts.settings.universe)


def _since(text: str) -> datetime | int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 10_000_000 and len(text) < 8:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("--since is a date such as 2024-01-31, or a number of candles") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _show(report: "FetchReport") -> None:
    told: dict[str, Any] = report.to_json()
    output.print(
        f"{len(report.outcomes)} series in {report.seconds:.1f} s: {told['inserted']} candles new, "
        f"{told['updated']} changed, {told['unchanged']} known",
        markup=False,
    )
    if report.interrupted:
        rest = f"; {len(report.unreached)} series were not fetched to the end" if report.unreached else ""
        output.print(f"stopped: what had arrived is written{rest}; run it again for the rest", markup=False)
    if report.empty:
        names = ", ".join(f"{item.symbol}/{item.quote} {item.interval}" for item in report.empty[:_SHOWN])
        more = f" and {len(report.empty) - _SHOWN} more" if len(report.empty) > _SHOWN else ""
        output.print(f"  no candles since then: {names}{more}", markup=False)
    if report.unknown:
        output.print(f"  no exchange lists {', '.join(report.unknown)}", markup=False)
    if report.rules:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(report.rules.items()))
        output.print(f"  quarantined: {counts}", markup=False)
    doubted = [(item, remark) for item in report.outcomes for remark in item.doubted]
    for item, remark in doubted[:_SHOWN]:
        output.print(
            f"  {item.symbol}/{item.quote} {item.interval} {remark.time:%Y-%m-%d %H:%M} {remark.outcome}: "
            f"{remark.detail}",
            markup=False,
        )
    if len(doubted) > _SHOWN:
        output.print(f"  ... and {len(doubted) - _SHOWN} more doubted bars (--json shows all)")
    unreached = {item.key for item in report.unreached}
    failed = [item for item in report.failed if item.key not in unreached]
    for item in failed[:_SHOWN]:
        reasons = "; ".join(str(error) for _, error in item.failures) or "it was not reached"
        output.print(f"  failed: {item.symbol}/{item.quote} {item.interval}: {reasons}", markup=False)
    if len(failed) > _SHOWN:
        output.print(f"  ... and {len(failed) - _SHOWN} more failures (--json shows all)")
