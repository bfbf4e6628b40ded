"""Resident memory of servers that have been under load."""

from contextlib import ExitStack

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server
from benchmarks.serving.stores import MANY, many_symbols
from benchmarks.serving.wrk import run_wrk

__all__ = ["OURS", "measure", "tables"]

OURS = ("ours", f"ours, {MANY} assets")


def measure(bench: Bench) -> Figures:
    """Megabytes (VmRSS, processes added up) at the first answer and after a run of wrk."""
    found: dict[str, dict[str, float]] = {}
    stores, symbol = bench.stores, f"/symbol/{many_symbols()[0]}"
    for name in (*OURS, "naive"):
        with ExitStack() as stack:
            if name == "naive":
                server, path = stack.enter_context(contenders.naive(bench, stores.real)), "/symbol/BTC"
            elif name == "ours":
                server, path = stack.enter_context(contenders.ours(bench, stores.real, name)), "/symbol/BTC"
            else:
                server, path = stack.enter_context(contenders.ours(bench, stores.many, name, symbol)), symbol
            found[name] = _loaded(server, path, bench.seconds)
    return {"resident_mb": found}


def _loaded(server: Server, path: str, seconds: int) -> dict[str, float]:
    before = server.resident_mb
    load = run_wrk(server.port, path, connections=32, seconds=seconds)
    if load.faults:
        raise Unmeasured(f"{server.name}: {load.faults}")
    return {"at the first answer": round(before, 1), "after load": round(server.resident_mb, 1)}


def tables(figures: Figures) -> list[Table]:
    """One line a server."""
    rows = [[name, *(f"{value:.0f}" for value in one.values())] for name, one in figures["resident_mb"].items()]
    return [Table("Resident memory, MB", ["", "at the first answer", "after load"], rows)]
