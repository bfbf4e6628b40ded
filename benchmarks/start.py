"""How long a server takes from its spawn to its first 200 on ``/symbol/BTC``, on one core, and where time goes.

``python -m benchmarks.start [ROUNDS]``. The store is a folder with 39 assets and a release that has two forests of
200 trees, converted. Interleaved with what any server of this kind imports at the least, whose ratio to it says
more than seconds on a machine with other work; `benchmarks.start_stages` tells the stages.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.forests import large_release_draft
from tests.doubles.processes import free_port, resident_kib

__all__ = ["main"]

_NAIVE = "import fastapi, polars, onnxruntime, deltalake"
_ONE_CORE = ("taskset", "-c", "0")
_MOST_SECONDS = 60.0


def main(rounds: int = 7) -> None:
    """Print medians of the start, of the imports it is held against, of their ratio, and of each stage."""
    with tempfile.TemporaryDirectory() as folder:
        url = _store(Path(folder))
        env = {**os.environ, "CRIPTO_STORE": url}
        walls, processors, naive, help_seconds = [], [], [], []
        stages: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            wall, processor, resident, threads = _started(env)
            walls.append(wall)
            processors.append(processor)
            naive.append(_timed([sys.executable, "-c", _NAIVE], env))
            help_seconds.append(_timed([sys.executable, "-m", "cripto.cli", "--help"], env))
            command = [*_ONE_CORE, sys.executable, "-m", "benchmarks.start_stages"]
            said = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
            for name, seconds in json.loads(said).items():
                stages[name].append(seconds)
    ratios = [wall / other for wall, other in zip(walls, naive, strict=True)]
    print(f"medians of {rounds} rounds on one core")
    print(f"spawn to the first 200    {_middle(walls):8.3f} s  ({min(walls):.3f} to {max(walls):.3f})")
    print(f"  of it processor time    {_middle(processors):8.3f} s; {resident / 1024:.0f} MiB, {threads} threads")
    print(f"its imports alone         {_middle(naive):8.3f} s  ({_NAIVE})")
    print(f"ratio                     {_middle(ratios):8.2f}")
    print(f"cripto --help             {_middle(help_seconds):8.3f} s")
    print("processor time of each stage")
    for name, seconds_each in stages.items():
        print(f"  {name:24}{_middle(seconds_each) * 1000:8.1f} ms")


def _middle(numbers: list[float]) -> float:
    return statistics.median(numbers)


def _store(folder: Path) -> str:
    url = (folder / "store").as_uri()
    open_lake(url).upsert(random_walk(["BTC", *(f"A{number}" for number in range(38))], 120))
    ReleaseRegistry(open_store(url)).publish(large_release_draft())
    return url


def _started(env: dict[str, str]) -> tuple[float, float, int, int]:
    """Seconds to the first 200, processor seconds until then, resident KiB and threads then."""
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [*_ONE_CORE, sys.executable, "-m", "cripto.cli", "serve"],
        env={**env, "PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port):
            if time.perf_counter() - began > _MOST_SECONDS:
                raise TimeoutError("the server did not answer")
            time.sleep(0.005)
        wall = time.perf_counter() - began
        # in ticks of 10 ms, but threads that have ended are in it
        counts = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        processor = (int(counts[11]) + int(counts[12])) / os.sysconf("SC_CLK_TCK")
        threads = len(list(Path(f"/proc/{process.pid}/task").iterdir()))
        return wall, processor, resident_kib(process.pid), threads
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/symbol/BTC")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _timed(command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([*_ONE_CORE, *command], env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
