"""Whether warm requests stay calm, at a third of capacity, while releases are swapped or candles keep arriving."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.machine import Neighbours
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server, clean_environment, cpu_seconds_of
from benchmarks.serving.scrape import metric
from benchmarks.serving.stores import MANY, many_symbols
from benchmarks.serving.summary import median_of, ratio_of_rounds
from benchmarks.serving.wrk import Load, run_wrk

__all__ = ["KINDS", "measure", "p99_ratio", "tables"]

KINDS = {"swaps": "releases are swapped", "candles": "candles arrive"}
_REFRESH = 0.1
_PATIENCE = 3
_NEIGHBOURS = 0.05
"""Slices in which others took more of the machine are kept, and not counted; up to so many times the rounds."""
_PATH = f"/symbol/{many_symbols()[0]}"
_ROOT = Path(__file__).parents[2]


def measure(bench: Bench) -> Figures:
    """For either disturbance: slices of quiet and of it, in turn, at one fixed rate."""
    return {kind: _of_kind(bench, kind) for kind in KINDS}


def _of_kind(bench: Bench, kind: str) -> Figures:
    store = bench.stores.another_of_many(f"calm, {kind}")
    rest: list[str] = []
    settings = {"CRIPTO_REFRESH_SECONDS": str(_REFRESH)}
    if kind == "swaps":
        rest = [str(version) for version in bench.stores.twin_release(store)]
        settings = {
            "CRIPTO_REFRESH_SECONDS": "3600",
            "CRIPTO_CANDLE_SECONDS": "3600",
            "CRIPTO_RELOAD_SECONDS": "0",
        }
    settings |= contenders.warming(MANY)
    with contenders.ours(bench, store, f"ours, {kind}", _PATH, settings) as server:
        most = run_wrk(server.port, _PATH, connections=32, seconds=bench.seconds)
        _must_be_sound(most)
        pace = Pace(server, most.rate / 3)
        slices = []
        with _disturber(kind, store, server, rest) as disturber:
            for _ in range(bench.rounds * _PATIENCE):
                neighbours = Neighbours(lambda: server.cpu_seconds() + disturber.cpu_seconds())
                quiet = pace.slice(bench.seconds)
                busy = _busy(bench, pace, disturber, server)
                slices.append({"quiet": quiet, "busy": busy, "others": round(neighbours.share(), 3)})
                if len(_undisturbed(slices)) == bench.rounds:
                    break
                _settle(server)
    return {"capacity": round(most.rate, 1), "wanted": round(pace.rate, 1), "slices": slices}


class Pace:
    """A fixed rate: each of many connections waits a drawn while before each request."""

    def __init__(self, server: Server, rate: float) -> None:
        self.rate = rate
        self._server = server
        # so many that a stall holds few of them back at once: what is asked hardly depends on what is answered
        self._connections = max(64, min(512, round(rate / 10)))
        self._delay = self._connections / rate * 1000
        # what a cycle takes besides the wait (an answer, timers of whole milliseconds) is measured and taken off
        for _ in range(2):
            cycle = self._connections / self._run(2).rate * 1000
            self._delay = max(2.0, self._delay - (cycle - self._connections / rate * 1000))

    def _run(self, seconds: int) -> Load:
        low, high = max(1, round(self._delay * 0.5)), max(2, round(self._delay * 1.5))
        options = {"WRK_DELAY_LOW": str(low), "WRK_DELAY_HIGH": str(high)}
        load = run_wrk(self._server.port, _PATH, connections=self._connections, seconds=seconds, options=options)
        _must_be_sound(load)
        return load

    def slice(self, seconds: int) -> dict[str, Any]:
        """One slice: the rate reached, and latencies in microseconds."""
        load = self._run(seconds)
        return {"rate": round(load.rate, 1), "connections": self._connections, "latency_us": load.latency_us}


class Disturber:
    """The process of `benchmarks.serving.disturb`, told when to work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def cpu_seconds(self) -> float:
        """Its processor time so far."""
        return cpu_seconds_of(self._process.pid)

    def say(self, word: str) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def heard(self) -> dict[str, Any]:
        """The next line; raises `Unmeasured` where it has ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unmeasured("what was to keep the server busy has ended")
        value: dict[str, Any] = json.loads(line)
        return value


@contextmanager
def _disturber(kind: str, store: Path, server: Server, rest: list[str]) -> Iterator[Disturber]:
    log = server.log.with_suffix(".disturber.log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.disturb", kind, str(store), str(server.port), *rest],
            env=clean_environment(),
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    try:
        disturber = Disturber(process)
        disturber.heard()
        yield disturber
    except (Unmeasured, BrokenPipeError) as error:
        raise Unmeasured(f"{error}; {log.read_text()[-500:]}") from error
    finally:
        process.kill()
        process.communicate()


def _busy(bench: Bench, pace: Pace, disturber: Disturber, server: Server) -> dict[str, Any]:
    disturber.say("go")
    time.sleep(0.5)  # so that the slice begins with the disturbance under way
    begun, spent = time.perf_counter(), server.worker_seconds()
    computed, looks = (metric(server, name) for name in _COUNTED)
    found = pace.slice(bench.seconds)
    seconds = time.perf_counter() - begun
    spent = server.worker_seconds() - spent
    computed, looks = (
        metric(server, name) - before for name, before in zip(_COUNTED, (computed, looks), strict=True)
    )
    disturber.say("stop")
    done = disturber.heard()
    # between two looks the server sleeps for the refresh time, on average; the rest of the time it is at work
    share = done["waited"] / done["seconds"] if looks == 0 else 1 - looks * _REFRESH / seconds
    return {
        **found,
        "boards": round(computed / MANY, 2),
        "working_share": round(min(1.0, max(0.0, share)), 3),
        "worker_cpu_share": round(spent / seconds, 3),
        "disturbances": done["count"],
    }


_COUNTED = ("cripto_predictions_computed_total", "cripto_refreshes_total")


def _settle(server: Server) -> None:
    """Wait until the server has nothing left to work out."""
    last = -1.0
    while (now := metric(server, _COUNTED[0])) != last:
        last = now
        time.sleep(0.5)


def _must_be_sound(load: Load) -> None:
    if load.faults:
        raise Unmeasured(f"requests failed: {load.faults}")


def _undisturbed(slices: list[Figures]) -> list[Figures]:
    return [one for one in slices if one["others"] <= _NEIGHBOURS]


def p99_ratio(figures: Figures) -> float:
    """The median of a busy slice's p99 over that of the quiet one before it, where neighbours left both alone.

    Raises `Unmeasured` where there are fewer than two such pairs, or no board was recomputed in one.
    """
    slices = _undisturbed(figures["slices"])
    if len(slices) < 2:
        raise Unmeasured(f"neighbours left {len(slices)} of {len(figures['slices'])} pairs of slices alone")
    if any(one["busy"]["boards"] < 1 for one in slices):
        raise Unmeasured("there was a busy slice in which not one board was recomputed")
    return ratio_of_rounds(*([one[which]["latency_us"]["p99"] for one in slices] for which in ("busy", "quiet")))


def tables(figures: Figures) -> list[Table]:
    """Quiet and busy, for either disturbance."""
    rows, notes = [], []
    for kind, label in KINDS.items():
        found = figures[kind]
        counted = _undisturbed(found["slices"])
        try:
            ratio = f"{p99_ratio(found):.2f}"
        except Unmeasured as error:
            ratio = "?"
            notes.append(f"Not measured while {label}: {error}.")
        for which in ("quiet", "busy"):
            slices = [one[which] for one in counted or found["slices"]]
            busy = which == "busy"
            rows.append(
                [
                    f"while {label}" if busy else f"quiet, before {label}",
                    f"{median_of([one['rate'] for one in slices]):,.0f}",
                    *(
                        f"{median_of([one['latency_us'][key] for one in slices]) / 1000:.2f}"
                        for key in ("p50", "p99", "max")
                    ),
                    ratio if busy else "",
                    f"{median_of([one['working_share'] for one in slices]):.0%}" if busy else "",
                    f"{median_of([one['boards'] for one in slices]):.1f}" if busy else "",
                ]
            )
        notes.append(
            f"{found['wanted']:,.0f}/s wanted, a third of the {found['capacity']:,.0f}/s measured before {label}; "
            f"{len(counted)} of {len(found['slices'])} pairs of slices, in which others took at most "
            f"{_NEIGHBOURS:.0%} of the machine, are counted."
        )
    notes.append(
        f"{MANY} assets. Working: the share of the time that the server spent reading, recomputing and swapping; "
        "boards: how many whole ones it worked out in a slice."
    )
    columns = ["", "requests/s", "p50 ms", "p99 ms", "max ms", "p99 x quiet", "working", "boards"]
    return [Table("Calm at a third of capacity", columns, rows, notes)]
