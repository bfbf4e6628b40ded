"""Requests a second: every contender in turn, round after round, each started once and kept."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.serving import contenders
from benchmarks.serving.agreement import check_agreement
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.outcome import LeftOut, Unmeasured
from benchmarks.serving.process import Server
from benchmarks.serving.stores import many_symbols
from benchmarks.serving.summary import median_of, ratio_of_rounds
from benchmarks.serving.wrk import run_wrk
from cripto.market.lake import open_lake
from tests.doubles.otlp import receiving
from tests.doubles.processes import free_port

__all__ = ["BARE", "CORE_TIME", "NAIVE", "NOT_MODIFIED", "ONE", "WARM", "faults", "measure", "rates", "tables"]

WARM, ONE, NOT_MODIFIED = "ours", "ours, 1 connection", "ours, 304"
LOGGED, TRACED = "ours, a log line per request", "ours, traces of 1 %"
MANY, SYMBOLS = "ours, /predictions of 100", "ours, /symbols"
BARE, BARE_ONE, NAIVE = "bare ASGI", "bare ASGI, 1 connection", "naive"
NGINX, GRANIAN = "nginx", "bare ASGI on granian"
CONNECTIONS = 32
CORE_TIME = "rate_of_core_time"
"""The key of requests a second of the server's own processor time."""
_BTC = "/symbol/BTC"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: whom to ask for what, and the status that every answer must have."""

    name: str
    server: Server
    path: str = _BTC
    connections: int = CONNECTIONS
    headers: Mapping[str, str] = field(default_factory=dict)
    expects: int = 200


def measure(bench: Bench) -> Figures:
    """Every row in every round; a row in which anything fails says so and counts as not measured."""
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        rows, notes = _rows(bench, stack, left_out)
        found: dict[str, dict[str, Any]] = {
            row.name: {"path": row.path[:60], "connections": row.connections, "status": row.expects, "rounds": []}
            for row in rows
        }
        for number in range(bench.rounds):
            for row in rows:
                found[row.name]["rounds"].append(_one(row, bench.seconds))
            print(f"round {number + 1} of {bench.rounds}", flush=True)
        resident = {row.server.name: round(row.server.resident_mb, 1) for row in rows}
    return {"rows": found, "left_out": left_out, "notes": notes, "resident_mb": resident}


def _one(row: Row, seconds: int) -> dict[str, Any]:
    """A run between two single requests that look at the status: wrk does not tell 200 and 304 apart."""
    server = row.server
    try:
        _look(row)
        spent = server.cpu_seconds()
        load = run_wrk(server.port, row.path, connections=row.connections, seconds=seconds, headers=row.headers)
        spent = server.cpu_seconds() - spent
        _look(row)
    except (Unmeasured, OSError) as error:
        return {"fault": str(error)}
    found = {**load.to_json(), "core_share": round(spent / load.seconds, 3)}
    if spent > 0:
        found[CORE_TIME] = round(load.requests / spent, 1)
    return {**found, **({"fault": load.faults} if load.faults else {})}


def _look(row: Row) -> None:
    status = row.server.get(row.path, row.headers).status
    if status != row.expects:
        raise Unmeasured(f"answered with {status} and not {row.expects}")


def _rows(bench: Bench, stack: ExitStack, left_out: dict[str, str]) -> tuple[list[Row], list[str]]:
    stores = bench.stores
    ours = stack.enter_context(contenders.ours(bench, stores.real))
    answer = ours.get(_BTC)
    logged = stack.enter_context(
        contenders.ours(bench, stores.real, "ours, logging", settings={"CRIPTO_ACCESS_LOG": "true"})
    )
    receiver = {"CRIPTO_TRACES": stack.enter_context(receiving()).url, "CRIPTO_TRACES_SAMPLE": "0.01"}
    traced = stack.enter_context(contenders.ours(bench, stores.real, "ours, tracing", settings=receiver))
    bare = stack.enter_context(contenders.bare(bench, answer))
    naive = stack.enter_context(contenders.naive(bench, stores.real))
    if bare.get(_BTC).body != answer.body:
        raise Unmeasured("the bare application does not answer with our bytes")
    assets = sorted({one.symbol for one in open_lake(stores.real.as_uri()).series("1d")})
    calibrations = {model.name: model.calibration for model in stores.release.models if model.calibration}
    same = check_agreement(ours, naive, assets, calibrations)
    rows = [
        Row(WARM, ours),
        Row(BARE, bare),
        Row(NOT_MODIFIED, ours, headers={"If-None-Match": answer.header("etag") or ""}, expects=304),
        Row(LOGGED, logged),
        Row(TRACED, traced),
        Row(NAIVE, naive),
        Row(ONE, ours, connections=1),
        Row(BARE_ONE, bare, connections=1),
    ]
    with _optional(left_out, NGINX):
        rows.append(Row(NGINX, stack.enter_context(contenders.nginx(bench, answer, free_port()))))
    with _optional(left_out, GRANIAN):
        rows.append(Row(GRANIAN, stack.enter_context(contenders.granian(bench, answer))))
    many = stack.enter_context(contenders.ours(bench, stores.many, "ours, many", f"/symbol/{many_symbols()[0]}"))
    for name, path in ((MANY, f"/predictions?ativos={','.join(many_symbols()[:100])}"), (SYMBOLS, "/symbols")):
        with _optional(left_out, name):
            if many.get(path).status == 404:
                raise LeftOut("the route is not there yet")
            rows.append(Row(name, many, path=path))
    time.sleep(1.0)  # whatever a start leaves to do
    notes = [
        f"{stores.candles}; release {stores.release.release}; the answer has {len(answer.body)} bytes "
        f"and {len(answer.headers)} headers.",
        f"The naive server's answers equal ours within rounding for {same} of {len(assets)} assets"
        f"{'.' if same == len(assets) else '; the others have no whole window.'}",
    ]
    for note in notes:
        print(note, flush=True)
    return rows, notes


@contextmanager
def _optional(left_out: dict[str, str], name: str) -> Iterator[None]:
    try:
        yield
    except LeftOut as error:
        left_out[name] = str(error)
        print(f"LEFT OUT: {name}: {error}", flush=True)


def rates(figures: Figures, name: str, per: str = "rate") -> list[float]:
    """Requests a second of a row, by round; raise `Unmeasured` where any round failed, or there is no such row.

    With ``per`` `CORE_TIME`: those a second of the server's own processor time, which neighbours move less.
    """
    row = figures["rows"].get(name)
    if row is None:
        raise Unmeasured(figures["left_out"].get(name, f"there is no row {name!r}"))
    if found := sorted({one["fault"] for one in row["rounds"] if "fault" in one}):
        raise Unmeasured(f"{name}: {'; '.join(found)}")
    return [one[per] for one in row["rounds"]]


def faults(figures: Figures) -> list[str]:
    """Which rows failed, and how."""
    found = []
    for name in figures["rows"]:
        try:
            rates(figures, name)
        except Unmeasured as error:
            found.append(str(error))
    return found


def tables(figures: Figures) -> list[Table]:
    """Ratios first, then medians."""
    lines = []
    for name, row in figures["rows"].items():
        try:
            mine = rates(figures, name)
        except Unmeasured as error:
            lines.append([name, "FAILED", *([""] * 6), str(error)[:60]])
            continue
        latencies = [
            f"{median_of([one['latency_us'][which] for one in row['rounds']]) / 1000:.2f}"
            for which in ("p50", "p99")
        ]
        lines.append(
            [
                name,
                str(row["connections"]),
                _ratio(figures, name, BARE_ONE if row["connections"] == 1 else BARE),
                _ratio(figures, name, NAIVE) if row["connections"] > 1 else "",
                f"{median_of(mine):,.0f}",
                f"{median_of([one['core_share'] for one in row['rounds']]):.0%}",
                f"{median_of(rates(figures, name, CORE_TIME)):,.0f}",
                *latencies,
            ]
        )
    columns = [
        "",
        "connections",
        "x bare ASGI",
        "x naive",
        "requests/s",
        "core",
        "by core time",
        "p50 ms",
        "p99 ms",
    ]
    by_core_time = ", ".join(f"{_ratio(figures, WARM, other, CORE_TIME)} x {other}" for other in (BARE, NAIVE))
    notes = [
        "Core: how much of its core a server got. Far below 100 % at 32 connections, neighbours were at work; by "
        f"core time, requests a second of the server's own processor time, ours is {by_core_time}.",
        *figures["notes"],
        *(f"Left out: {name}: {why}." for name, why in figures["left_out"].items()),
    ]
    return [Table("Requests a second, one core", columns, lines, notes)]


def _ratio(figures: Figures, one: str, other: str, per: str = "rate") -> str:
    try:
        return f"{ratio_of_rounds(rates(figures, one, per), rates(figures, other, per)):,.2f}"
    except Unmeasured:
        return "?"
