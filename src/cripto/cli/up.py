"""``cripto up``: the main job on one machine, saying what it is doing."""

from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec

import typer

from cripto.cli.console import errors, progress_bar
from cripto.cli.gathering import Gathering
from cripto.cli.models import bare_name, promoted
from cripto.cli.serve import listen, run
from cripto.cli.train import show, train_release
from cripto.cli.trainer import train_apart
from cripto.cli.wiring import Installation, installation
from cripto.domain.candle import SAMPLE_SOURCE
from cripto.errors import CriptoError, TrainingRefused

__all__ = ["up"]

_SAMPLE = "using the bundled sample (BTC, ETH, LTC; answers say `amostra`)"
_HELD = "serving the candles at hand"


def up() -> None:
    """Do the whole job on this machine: candles, training if there is no release, and the API.

    Tries the exchanges of CRIPTO_EXCHANGES for five seconds. Where one answers, fetches the last 1000 candles of
    CRIPTO_UNIVERSE (the 30 assets traded most, if it is not set) and goes on as candles close. Otherwise serves
    the store's candles; a store without any gets the bundled sample, and says so in every answer.
    """
    parts = installation()
    with listen(parts) as listener, ExitStack() as stack:
        errors.print(f"store: {parts.settings.store_url}", markup=False)
        had_release = (promoted(parts) or bare_name(parts)) is not None
        fresh = _ensure_candles(parts, stack, served_before=had_release)
        _ensure_release(parts, fresh=fresh)
        for name in parts.settings.further_intervals:
            _ensure_further(parts.at(name))
        host, port = listener.getsockname()[:2]
        errors.print(f"serving on http://{host}:{port} (docs at /docs); stop with Ctrl+C", markup=False)
        run(parts, listener)


def _ensure_release(parts: Installation, *, fresh: bool = False) -> None:
    version = promoted(parts) or bare_name(parts)
    if version is None:
        errors.print("there is no release yet: training the five models")
        _train(parts)
    else:
        hint = "; `cripto train --promote` makes one of the candles just fetched" if fresh else ""
        errors.print(f"release: {version}{hint}", markup=False)


def _train(parts: Installation) -> None:
    """Train in another process, unless the store is in the memory of this one; exit with its code if it fails."""
    if parts.settings.store_url == "memory://":
        show(train_release(parts))
    elif code := train_apart(parts.interval):
        raise typer.Exit(code)


def _ensure_further(parts: Installation) -> None:
    """Train what an interval beside the default one lacks, if there are candles of it; say so if not."""
    try:
        if not parts.lake.series(parts.interval):
            hint = "`cripto candles fetch`, `import` or `derive` them"
            errors.print(f"interval {parts.interval}: no candles yet; {hint}", markup=False)
            return
        errors.print(f"interval {parts.interval}:", markup=False)
        _ensure_release(parts)
    except typer.Exit:  # whatever it is, the others are served all the same
        errors.print(f"interval {parts.interval}: not trained", markup=False)
    except CriptoError as error:
        errors.print(f"interval {parts.interval}: {error}", markup=False)


def _ensure_candles(parts: Installation, stack: ExitStack, *, served_before: bool) -> bool:
    """Have candles, and have them followed where exchanges may be asked; whether the first real ones came."""
    real = before = _holds_real(parts)
    if parts.settings.exchanges == "none":
        _without_exchanges(parts, "no exchange is asked (CRIPTO_EXCHANGES=none)", real=real)
    elif find_spec("ccxt") is None:
        _without_exchanges(parts, "no exchange is asked (cripto[collect] is not installed)", real=real)
    elif real and served_before:
        # everything is at hand: what is new comes while it is served
        stack.enter_context(Gathering(anyway=True, tried=_say_if_unreached))
        errors.print("candles are followed beside the server")
    else:
        _first_candles(parts, stack, real=real)
        real = _holds_real(parts)
    series = parts.lake.series(parts.settings.interval)
    errors.print(
        f"candles: {sum(item.candles for item in series)} of {len({item.symbol for item in series})} assets, "
        f"interval {parts.settings.interval}",
        markup=False,
    )
    return real and not before


def _holds_real(parts: Installation) -> bool:
    """Whether there are candles other than the sample's."""
    last = parts.lake.recent(parts.settings.interval, 1)
    return bool((last["source"] != SAMPLE_SOURCE).any())


def _first_candles(parts: Installation, stack: ExitStack, *, real: bool) -> None:
    """Fetch before anything else, if an exchange answers."""
    errors.print(
        f"trying exchanges: {', '.join(name for name, _ in parts.settings.exchange_entries)}", markup=False
    )
    gathering = Gathering(anyway=real)
    with ExitStack() as mine:
        mine.enter_context(gathering)
        failures = gathering.tried()
        if all(failures.values()):
            reason: str | None = _unreached(failures)
        else:
            answering = ", ".join(name for name, failure in failures.items() if failure is None)
            others = "".join(f"; {name}: {failure}" for name, failure in failures.items() if failure is not None)
            errors.print(f"exchanges that answer: {answering}{others}", markup=False)
            reason = _fetch(gathering)
        real = _holds_real(parts)
        if real:
            stack.push(mine.pop_all())
    if reason is not None:
        _without_exchanges(parts, reason, real=real)


def _fetch(gathering: Gathering) -> str | None:
    """Wait for the first fetch; why nothing came, if nothing did."""
    with progress_bar() as bars:
        task = bars.add_task("reading lists of pairs", total=None)
        fetched = gathering.fetched(
            lambda done, of, candles: bars.update(
                task, description=f"{candles:,} candles", completed=done, total=of
            )
        )
    missing = f"; {fetched.failed} series are not whole ({fetched.reason})" if fetched.failed else ""
    errors.print(f"fetched: {fetched.candles:,} candles of {fetched.series} series{missing}", markup=False)
    if fetched.series == 0 or fetched.failed == fetched.series:
        return f"nothing could be fetched ({fetched.reason})"
    return None


def _without_exchanges(parts: Installation, reason: str, *, real: bool) -> None:
    """Say why no candles come from exchanges, and make do with the store's, or the sample."""
    interval = parts.settings.interval
    if real or parts.lake.series(interval):
        errors.print(f"{reason}: {_HELD}", markup=False)
        return
    from cripto.market.sample import sample_candles

    candles = sample_candles()
    if interval not in candles["interval"].unique():
        raise TrainingRefused(
            f"{reason}, the store has no {interval} candles and the bundled sample is daily: import some with "
            "`cripto candles import`, or leave CRIPTO_INTERVAL at 1d"
        )
    errors.print(f"{reason}: {_SAMPLE}", markup=False)
    parts.lake.upsert(candles)


def _unreached(failures: Mapping[str, str | None]) -> str:
    return f"no exchange can be reached ({'; '.join(f'{name}: {failure}' for name, failure in failures.items())})"


def _say_if_unreached(failures: Mapping[str, str | None]) -> None:
    if all(failures.values()):
        errors.print(f"{_unreached(failures)}: {_HELD}, and trying again", markup=False)
