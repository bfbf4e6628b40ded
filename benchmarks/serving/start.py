"""How long a server takes from nothing to its first answer, with converted models on disk."""

from pathlib import Path

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.summary import median_of

__all__ = ["KINDS", "measure", "tables"]

KINDS = ("a release", "joblibs, converted before")

_STARTS = 5


def measure(bench: Bench) -> Figures:
    """Seconds from spawn to the first 200 on ``/symbol/BTC``, asked every 5 ms, of each of five starts in turn.

    The first start of the joblibs, which converts them into CRIPTO_CACHE_DIR, is told apart.
    """
    stores, cache = bench.stores, {"CRIPTO_CACHE_DIR": str(bench.folder / "cache")}
    with contenders.ours(bench, stores.bare, "first start of joblibs", settings=cache) as server:
        converting = server.seconds
    kinds: dict[str, tuple[Path, dict[str, str]]] = {KINDS[0]: (stores.real, {}), KINDS[1]: (stores.bare, cache)}
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(_STARTS):
        for kind, (store, settings) in kinds.items():
            with contenders.ours(bench, store, f"start of {kind}", settings=settings) as server:
                seconds[kind].append(round(server.seconds, 4))
                spent[kind].append(round(server.cpu_until_then, 2))
    return {"seconds": seconds, "cpu_seconds": spent, "converting_seconds": round(converting, 3)}


def tables(figures: Figures) -> list[Table]:
    """Medians, and the range."""
    rows = [
        [
            kind,
            *(f"{value:.2f}" for value in (median_of(values), min(values), max(values))),
            f"{median_of(figures['cpu_seconds'][kind]):.2f}",
        ]
        for kind, values in figures["seconds"].items()
    ]
    note = f"Joblibs that were never converted: {figures['converting_seconds']:.1f} s to the first answer, once."
    return [
        Table("Start to the first 200, seconds", ["", "median", "least", "most", "processor time"], rows, [note])
    ]
