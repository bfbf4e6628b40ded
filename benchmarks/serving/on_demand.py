"""Answers worked out when they are asked for: features, five models and the encoding, one asset at a time."""

import time

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.client import Connection
from benchmarks.serving.outcome import LeftOut, Unmeasured
from benchmarks.serving.scrape import metric
from benchmarks.serving.stores import MANY, many_symbols
from benchmarks.serving.summary import percentile

__all__ = ["measure", "tables"]


def measure(bench: Bench) -> Figures:
    """Milliseconds of asking for each of 1,000 assets once, on one connection, where no answer is at hand.

    Raises `LeftOut` for a server that answers for every asset in advance and cannot be told not to.
    """
    if not (settings := contenders.warming(0)):
        raise LeftOut(
            "this server has no CRIPTO_WARM_ASSETS, so that every answer is at hand before it is asked for"
        )
    settings |= {"CRIPTO_REFRESH_SECONDS": "3600", "CRIPTO_CANDLE_SECONDS": "3600"}
    assets = many_symbols()
    # /health: a single asset asked for would be one that is at hand
    with contenders.ours(bench, bench.stores.many, "ours, on demand", "/health", settings) as server:
        before = metric(server, "cripto_predictions_computed_total")
        milliseconds = []
        with Connection(server.port) as connection:
            for asset in assets:
                begun = time.perf_counter()
                answer = connection.get(f"/symbol/{asset}")
                milliseconds.append((time.perf_counter() - begun) * 1000)
                if answer.status != 200:
                    raise Unmeasured(f"{asset} was answered with {answer.status}")
            again = []
            for asset in assets:
                begun = time.perf_counter()
                connection.get(f"/symbol/{asset}")
                again.append((time.perf_counter() - begun) * 1000)
        computed = metric(server, "cripto_predictions_computed_total") - before
    if computed != MANY:
        raise Unmeasured(f"{computed:.0f} answers were worked out for {MANY} assets that were asked for")
    return {"milliseconds": _described(milliseconds), "at_hand_milliseconds": _described(again)}


def _described(values: list[float]) -> dict[str, float]:
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: round(percentile(values, share), 4) for name, share in shares.items()}


def tables(figures: Figures) -> list[Table]:
    """The first time, and the same assets again."""
    lines = (("asked for the first time", "milliseconds"), ("asked again", "at_hand_milliseconds"))
    rows = [[name, *(f"{value:.2f}" for value in figures[key].values())] for name, key in lines]
    note = f"{MANY} assets of invented candles, each once, on one connection; the client's own time is included."
    return [Table("On demand, milliseconds", ["", *figures["milliseconds"]], rows, [note])]
