"""A flood of symbols that do not exist: what it costs the server, and the store behind it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.serving import contenders
from benchmarks.serving.bench import Bench, Figures, Table
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server
from benchmarks.serving.scrape import series
from benchmarks.serving.wrk import run_wrk
from tests.doubles.faulty_s3 import FaultyS3, faulty_s3

__all__ = ["UNKNOWN", "measure", "tables"]

UNKNOWN = 100_000
_FIRST = 10_000
_AT_MOST_SECONDS = 600
_BUCKET = "criptos-bench"
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def measure(bench: Bench) -> Figures:
    """Memory, metric series and requests to the store, before, early in, and after 100,000 unknown symbols.

    The store is an S3 server (moto) behind a proxy that counts; the refresh loop sleeps meanwhile.
    """
    with _bucket(bench.stores.real) as proxy:
        env = {**_KEYS, "CRIPTO_STORE": f"s3://{_BUCKET}", "AWS_ENDPOINT_URL": proxy.url}
        env |= {"CRIPTO_REFRESH_SECONDS": "3600", "CRIPTO_CANDLE_SECONDS": "3600"}
        with contenders.ours(bench, bench.stores.real, "ours, flooded", settings=env) as server:
            # a loaded server that has refused once already: what else there is to grow grows before
            run_wrk(server.port, "/symbol/BTC", connections=32, seconds=2)
            if server.get("/symbol/UNKNOWN1").status != 404:
                raise Unmeasured("an unknown asset is not answered with 404")
            server.get("/metrics")
            states = [_state(server, proxy)]
            rates = []
            for prefix, count in (("Y", _FIRST), ("Z", UNKNOWN - _FIRST)):
                rates.append(_flood(server, prefix, count))
                states.append(_state(server, proxy))
    return {"states": dict(zip(("before", "early", "after"), states, strict=True)), "rates": rates}


def _flood(server: Server, prefix: str, count: int) -> float:
    options = {"WRK_PREFIX": prefix, "WRK_COUNT": str(count)}
    load = run_wrk(server.port, "/", connections=32, seconds=_AT_MOST_SECONDS, options=options)
    faults = {kind: number for kind, number in load.errors.items() if number and kind != "status"}
    if faults:
        raise Unmeasured(f"the flood met errors: {faults}")
    if load.not_found < count:
        raise Unmeasured(
            f"{load.not_found:,} of {count:,} unknown symbols were answered with 404 in {load.seconds:.0f} s"
        )
    return round(load.rate, 1)


def _state(server: Server, proxy: FaultyS3) -> dict[str, Any]:
    time.sleep(0.5)
    reads = sum(proxy.counts.values())
    return {"resident_mb": round(server.resident_mb, 2), "series": len(series(server)), "store_requests": reads}


@contextmanager
def _bucket(store: Path) -> Iterator[FaultyS3]:
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request, else
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=_BUCKET)
        for path in store.rglob("*"):
            if path.is_file() and path.name != ".lock":
                client.put_object(Bucket=_BUCKET, Key=path.relative_to(store).as_posix(), Body=path.read_bytes())
        with faulty_s3(f"http://{host}:{port}") as proxy:
            yield proxy
    finally:
        moto.stop()


def tables(figures: Figures) -> list[Table]:
    """One line a moment."""
    names = {"before": "before", "early": f"after {_FIRST:,}", "after": f"after {UNKNOWN:,}"}
    rows = [
        [names[key], f"{state['resident_mb']:.1f}", str(state["series"]), str(state["store_requests"])]
        for key, state in figures["states"].items()
    ]
    note = f"404 answers a second: {figures['rates'][-1]:,.0f}."
    columns = ["unknown symbols", "resident MB", "metric series", "requests to the store"]
    return [Table("A flood of unknown symbols", columns, rows, [note])]
