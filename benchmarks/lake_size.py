"""What candles take up and cost to write: ``python -m benchmarks.lake_size [--assets N]``.

Invented candles of one minute in a folder: ``hours`` imported whole, ``minutes`` more appended as they close, then
``candles optimize``. The last lines extrapolate to eight years; nothing of that size was written. Invented prices
have all their digits, so they take up more than real ones.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from cripto.domain.interval import INTERVALS
from cripto.market.lake import open_lake
from tests.doubles.candles import START, random_walk

__all__ = ["main"]

_YEARS = 8
_MINUTE = INTERVALS["1m"]


def main() -> None:
    """Print bytes and seconds of each step, and what they come to over eight years."""
    parser = argparse.ArgumentParser(description="Measure the size of a lake and the cost of writing it.")
    parser.add_argument("--assets", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--minutes", type=int, default=60)
    asked = parser.parse_args()
    assets = [f"A{number:04}" for number in range(asked.assets)]
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(Path(folder).as_uri())
        candles = random_walk(assets, 60 * asked.hours, _MINUTE, volatility=0.001)
        imported = _timed("import", candles.height, folder, lambda: lake.upsert(candles))
        later = random_walk(
            assets, asked.minutes, _MINUTE, START + timedelta(hours=asked.hours), seed=1, volatility=0.001
        )
        parts = later.partition_by("time", maintain_order=True)
        appended = _timed("appends", later.height, folder, lambda: [lake.upsert(part) for part in parts])
        began = time.perf_counter()
        done = lake.optimize()
        print(
            f"optimize: {done.files_before} files to {done.files} in {time.perf_counter() - began:.1f} s",
            flush=True,
        )
        began = time.perf_counter()
        rows = open_lake(Path(folder).as_uri()).recent(_MINUTE.name, 100).height
        print(
            f"first read of the last 100 candles: {rows:,} rows in {1000 * (time.perf_counter() - began):.0f} ms"
        )
    total = asked.assets * _YEARS * 365.25 * 24 * 60
    size = imported[0] / candles.height
    print(f"extrapolated to {_YEARS} years: {total / 1e9:.1f} billion candles, {total * size / 1e9:,.0f} GB")
    print(f"extrapolated import: {total / candles.height * imported[1] / 3600:,.1f} h on this machine")
    print(f"one close of all assets: {appended[1] / asked.minutes:.3f} s to write")


def _timed(name: str, rows: int, folder: str, call: Callable[[], object]) -> tuple[int, float]:
    before, began = _size(folder), time.perf_counter()
    call()
    seconds, grown = time.perf_counter() - began, _size(folder) - before
    print(
        f"{name}: {rows:,} candles in {seconds:.1f} s, {grown:,} bytes, {grown / rows:.1f} per candle", flush=True
    )
    return grown, seconds


def _size(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))


if __name__ == "__main__":
    main()
