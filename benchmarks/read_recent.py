"""How long the last candles of every asset take to read, from a folder and from a moto server on this machine.

``python -m benchmarks.read_recent [--assets N] [--days N] [--appends N]``: invented daily candles, imported whole,
after ``appends`` upserts of one candle per asset, each followed by a look as a running server takes it, and after
``candles optimize``. "First read" is that of a lake just opened, as a server's start makes it. The figures of moto
are those of a server in Python that shares the machine; requests are counted, being what S3 takes its time for.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from cripto.market.lake import CandleLake, open_lake
from tests.doubles.candles import DAILY, START, random_walk
from tests.doubles.faulty_s3 import FaultyS3, faulty_s3

__all__ = ["main"]

_REPEATS = 9
_LOOKBACK = 100


def main() -> None:
    """Print the median and the longest of nine reads, and the requests of one, for each state of the lake."""
    parser = argparse.ArgumentParser(description="Time reads of the last candles of every asset.")
    parser.add_argument("--assets", type=int, default=400)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--appends", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure("folder", (Path(folder) / "store").as_uri(), asked, None)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with faulty_s3(f"http://{host}:{port}") as proxy:
            os.environ |= {
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            }
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bench")
            _measure("moto", "s3://bench/criptos", asked, proxy)
    finally:
        server.stop()


def _measure(place: str, url: str, asked: argparse.Namespace, proxy: FaultyS3 | None) -> None:
    lake = open_lake(url)
    assets = [f"A{number:04}" for number in range(asked.assets)]
    lake.upsert(random_walk(assets, asked.days))
    _report(place, "imported", url, proxy)
    later = random_walk(assets, asked.appends, start=START + asked.days * DAILY.step)
    follower = open_lake(url)
    follower.version()
    follower.recent("1d", _LOOKBACK)
    writing, looking = [], []
    for number in range(asked.appends):
        change = later.filter(time=START + timedelta(days=asked.days + number))
        writing.append(_seconds(partial(lake.upsert, change)))
        looking.append(_seconds(partial(_look, follower)))
    for name, spent in ((f"upsert of {asked.assets}", writing), ("look after it", looking)):
        print(f"{place:7} {asked.appends} times {name}: {_figures(spent)}", flush=True)
    _report(place, f"{asked.appends} appends", url, proxy)
    began = time.perf_counter()
    done = lake.optimize()
    seconds = time.perf_counter() - began
    print(f"{place:7} optimize: {seconds:.2f} s, {done.files_before} files before, {done.files} now")
    _report(place, "optimized", url, proxy)


def _report(place: str, state: str, url: str, proxy: FaultyS3 | None) -> None:
    lake = open_lake(url)
    lake.version()
    calls: dict[str, Callable[[CandleLake], object]] = {
        "first read": lambda _: open_lake(url).recent("1d", _LOOKBACK),
        "version": lambda lake: lake.version(),
    }
    for name, call in calls.items():
        spent = [_seconds(partial(call, lake)) for _ in range(_REPEATS)]
        requests = "" if proxy is None else f", {_requests(proxy, url, call)} requests"
        print(f"{place:7} {state:12} {name:10} {_figures(spent)}{requests}", flush=True)


def _figures(seconds: list[float]) -> str:
    return f"median {1000 * statistics.median(seconds):6.1f} ms, longest {1000 * max(seconds):6.1f} ms"


def _requests(proxy: FaultyS3, url: str, call: Callable[[CandleLake], object]) -> int:
    """How many requests a call makes of a lake that has looked at its version before."""
    direct = os.environ["AWS_ENDPOINT_URL"]
    os.environ["AWS_ENDPOINT_URL"] = proxy.url
    try:
        lake = open_lake(url)
        lake.version()
        proxy.forget()
        call(lake)
        return len(proxy.seen)
    finally:
        os.environ["AWS_ENDPOINT_URL"] = direct


def _look(lake: CandleLake) -> None:
    """What a running server does at each refresh."""
    lake.version()
    lake.recent("1d", _LOOKBACK)


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
