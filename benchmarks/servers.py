"""Requests a second of a bare ASGI application on one core: uvicorn as it comes, with our protocol, and granian.

``python -m benchmarks.servers [ROUNDS [SECONDS]]``. Needs wrk; granian is measured where GRANIAN names its
executable (it is no dependency). The servers have the first core, wrk the second; rounds are interleaved, and what
is printed are medians and their ratio to uvicorn's.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import uvicorn

from benchmarks.bare import app
from cripto.cli.protocol import BoundedProtocol
from tests.doubles.processes import free_port

__all__ = ["main"]

_CONNECTIONS = 32


def main(rounds: int = 7, seconds: int = 3) -> int:
    """Print what each server does; 1 if wrk is not installed."""
    if shutil.which("wrk") is None:
        print("LEFT OUT: wrk is not installed")
        return 1
    here = [sys.executable, "-m", "benchmarks.servers", "--serve"]
    commands = {"uvicorn": [*here, "plain"], "uvicorn, bounded": [*here, "bounded"]}
    if granian := os.environ.get("GRANIAN"):
        commands["granian"] = [
            granian,
            "--interface",
            "asgi",
            "--loop",
            "uvloop",
            "--no-ws",
            "--log-level",
            "error",
        ]
    else:
        print("LEFT OUT: granian; GRANIAN names its executable")
    found: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(_measured(command, seconds))
    reference = statistics.median(found["uvicorn"])
    for name, rates in found.items():
        middle = statistics.median(rates)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"{name:18}{middle:>10,.0f} requests/s ({spread}){middle / reference:>8.3f} x uvicorn")
    return 0


def _measured(command: Sequence[str], seconds: int) -> float:
    with _served(command) as port:
        url = f"http://127.0.0.1:{port}/symbol/BTC"
        wrk = ["taskset", "-c", "1", "wrk", "-t1", f"-c{_CONNECTIONS}"]
        subprocess.run([*wrk, "-d1s", url], check=True, capture_output=True)
        said = subprocess.run([*wrk, f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
    match = re.search(r"Requests/sec: +([\d.]+)", said)
    if match is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(match[1])


@contextmanager
def _served(command: Sequence[str]) -> Iterator[int]:
    port = free_port()
    arguments = [str(port)]
    if command[0] != sys.executable:
        arguments = ["--port", str(port), "--working-dir", str(Path(__file__).parent), "bare:app"]
    process = subprocess.Popen(["taskset", "-c", "0", *command, *arguments])
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError, HTTPException):
                connection = HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/")
                connection.getresponse().read()
                connection.close()
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _serve(kind: str, port: int) -> None:
    options: dict[str, Any] = {"http": BoundedProtocol} if kind == "bounded" else {"http": "httptools"}
    uvicorn.run(app, port=port, loop="uvloop", ws="none", log_config=None, access_log=False, **options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
