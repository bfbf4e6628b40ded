"""How long after a candle lands in the lake a running server answers from it, with the settings it comes with."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import boto3
import polars as pl
from moto.server import ThreadedMotoServer

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.client import Connection
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server
from benchmarks.serving.stores import CANDLES_EACH, MANY, many_symbols
from benchmarks.serving.summary import median_of
from benchmarks.serving.wrk import run_wrk
from cripto.domain.clock import rfc3339
from cripto.market.lake import CandleLake, open_lake
from tests.doubles.candles import DAILY, random_walk

__all__ = ["LOADS", "PLACES", "longest", "measure", "tables"]

PLACES = ("folder", "moto")
LOADS = {"quiet": "without requests", "saturated": "with all the requests it can answer"}
_PATIENCE_SECONDS = 120.0
_PATH = f"/symbol/{many_symbols()[0]}"
_KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}


def measure(bench: Bench) -> Figures:
    """Seconds from the end of an upsert of one candle per asset until the server answers from it, each time."""
    days = _days(2 * bench.rounds)
    seconds: dict[str, dict[str, list[float]]] = {}
    for place in PLACES:
        store = bench.stores.another_of_many(f"arrival, {place}")
        with _url(place, store) as (url, settings):
            lake, pending = open_lake(url), iter(days)
            with contenders.ours(
                bench, store, f"ours, arrival, {place}", _PATH, {"CRIPTO_STORE": url, **settings}
            ) as server:
                quiet = [_told(server, lake, next(pending)) for _ in range(bench.rounds)]
                with _saturated(server):
                    saturated = [_told(server, lake, next(pending)) for _ in range(bench.rounds)]
        seconds[place] = {"quiet": quiet, "saturated": saturated}
    return {"seconds": seconds}


def longest(figures: Figures, place: str) -> float:
    """The longest that a candle took, whatever the load."""
    return max(float(max(figures["seconds"][place][load])) for load in LOADS)


def tables(figures: Figures) -> list[Table]:
    """The median and the longest, for either store and load."""
    rows = [
        [f"{place}, {told}", f"{median_of(found[load]):.2f}", f"{max(found[load]):.2f}"]
        for place, found in figures["seconds"].items()
        for load, told in LOADS.items()
    ]
    notes = [
        f"One candle for each of {MANY} assets lands in one upsert; the server looks as often as it comes.",
        "moto, and what asks, share the other core with whoever writes the candles.",
    ]
    return [Table("From a candle in the lake to its answer, seconds", ["", "median", "longest"], rows, notes)]


def _days(count: int) -> list[pl.DataFrame]:
    """The days after those that the store was made with."""
    after = random_walk(many_symbols(), CANDLES_EACH + count)
    return sorted(after.partition_by("time"), key=lambda frame: frame["time"][0])[CANDLES_EACH:]


def _told(server: Server, lake: CandleLake, day: pl.DataFrame) -> float:
    lake.upsert(day)
    landed = time.perf_counter()
    wanted = rfc3339(DAILY.close_of(day["time"][0]))
    with Connection(server.port) as connection:
        for symbol in (many_symbols()[0], many_symbols()[-1]):
            while json.loads(connection.get(f"/symbol/{symbol}").body)["timestamp"] != wanted:
                if time.perf_counter() - landed > _PATIENCE_SECONDS:
                    raise Unmeasured(f"candles that close at {wanted} were not told in {_PATIENCE_SECONDS:.0f} s")
                time.sleep(0.01)
    return round(time.perf_counter() - landed, 3)


@contextmanager
def _saturated(server: Server) -> Iterator[None]:
    """Ask all the time, and raise `Unmeasured` afterwards if a request failed."""
    stopping, faults = threading.Event(), list[str]()

    def ask() -> None:
        while not stopping.is_set():
            faults.append(run_wrk(server.port, _PATH, connections=32, seconds=1).faults)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        time.sleep(0.5)
        yield
    finally:
        stopping.set()
        asking.join()
    if failed := [told for told in faults if told]:
        raise Unmeasured(f"requests failed meanwhile: {failed}")


@contextmanager
def _url(place: str, store: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The store's URL and what reaches it: itself, or a copy on a moto server."""
    if place == "folder":
        yield store.as_uri(), {}
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {**_KEYS, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bench")
        for path in sorted(store.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), "bench", f"criptos/{path.relative_to(store)}")
        yield "s3://bench/criptos", settings
    finally:
        server.stop()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
