"""What a check of a large lake takes: ``python -m benchmarks.check_lake [--assets N] [--hours N]``.

Invented candles of one minute in a folder, a day at a time; then ``candles check`` with a picture, in a process of
its own, whose time and largest resident memory are told beside those of a check of a single hour.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from cripto.domain.interval import INTERVALS
from cripto.market.lake import open_lake
from tests.doubles.candles import START, random_walk

__all__ = ["main"]

_MINUTE = INTERVALS["1m"]
# getrusage would count the memory of the process that forked it
_CHECK = """
import sys
from pathlib import Path
from cripto.cli import main
try:
    main()
finally:
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    Path(sys.argv[-1]).with_suffix(".peak").write_text(peak.split()[1])
"""


def main() -> None:
    """Print seconds and memory of a check of one hour of candles, and of all."""
    parser = argparse.ArgumentParser(description="Measure a check of a large lake.")
    parser.add_argument("--assets", type=int, default=2000)
    parser.add_argument("--hours", type=int, default=84)
    asked = parser.parse_args()
    assets = [f"A{number:04}" for number in range(asked.assets)]
    for hours in (1, asked.hours):
        with tempfile.TemporaryDirectory() as folder:
            url = Path(folder, "store").as_uri()
            for begin in range(0, hours, 24):
                count = 60 * min(24, hours - begin)
                start = START + timedelta(hours=begin)
                open_lake(url).upsert(random_walk(assets, count, _MINUTE, start, seed=begin, volatility=0.001))
            _check(url, folder, 60 * hours * asked.assets)


def _check(url: str, folder: str, rows: int) -> None:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, "candles", "check", "--json", "--picture", f"{folder}/page.png"],
        env={**os.environ, "CRIPTO_STORE": url, "CRIPTO_INTERVAL": "1m"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"the check ended with {done.returncode}")
    seconds = time.perf_counter() - began
    peak = int(Path(folder, "page.peak").read_text()) / 1024
    print(
        f"check of {rows:,} candles: {seconds:.1f} s, {peak:,.0f} MiB at most, {len(done.stdout):,} bytes of JSON"
    )


if __name__ == "__main__":
    main()
