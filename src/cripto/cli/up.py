"""``cripto up``: the main job on one machine, saying what it is doing."""

from cripto.cli.console import errors
from cripto.cli.models import bare_name, promoted
from cripto.cli.serve import listen, run
from cripto.cli.train import show, train_release
from cripto.cli.wiring import Installation, installation
from cripto.errors import CriptoError, TrainingRefused

__all__ = ["up"]


def up() -> None:
    """Do the whole job on this machine: candles, training if there is no release, and the API.

    Uses the store's candles; a store without any gets the bundled sample, and says so in every answer.
    """
    parts = installation()
    with listen(parts) as listener:
        errors.print(f"store: {parts.settings.store_url}", markup=False)
        _ensure_candles(parts)
        _ensure_release(parts)
        for name in parts.settings.further_intervals:
            _ensure_further(parts.at(name))
        host, port = listener.getsockname()[:2]
        errors.print(f"serving on http://{host}:{port} (docs at /docs); stop with Ctrl+C", markup=False)
        run(parts, listener)


def _ensure_release(parts: Installation) -> None:
    version = promoted(parts) or bare_name(parts)
    if version is None:
        errors.print("there is no release yet: training the five models")
        show(train_release(parts))
    else:
        errors.print(f"release: {version}", markup=False)


def _ensure_further(parts: Installation) -> None:
    """Train what an interval beside the default one lacks, if there are candles of it; say so if not."""
    try:
        if not parts.lake.series(parts.interval):
            hint = "`cripto candles import` or `derive` them"
            errors.print(f"interval {parts.interval}: no candles yet; {hint}", markup=False)
            return
        errors.print(f"interval {parts.interval}:", markup=False)
        _ensure_release(parts)
    except CriptoError as error:  # whatever it is, the others are served all the same
        errors.print(f"interval {parts.interval}: {error}", markup=False)


def _ensure_candles(parts: Installation) -> None:
    interval = parts.settings.interval
    series = parts.lake.series(interval)
    if not series:
        from cripto.market.sample import sample_candles

        candles = sample_candles()
        if interval not in candles["interval"].unique():
            raise TrainingRefused(
                f"the store has no {interval} candles and the bundled sample is daily: import some with "
                "`cripto candles import`, or leave CRIPTO_INTERVAL at 1d"
            )
        errors.print("the store has no candles: using the bundled sample (BTC, ETH, LTC; answers say `amostra`)")
        parts.lake.upsert(candles)
        series = parts.lake.series(interval)
    errors.print(
        f"candles: {sum(item.candles for item in series)} of {len({item.symbol for item in series})} assets, "
        f"interval {interval}",
        markup=False,
    )
