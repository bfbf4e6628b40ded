"""The load generator: wrk on one thread, its result read as JSON and never scraped from what it tells people."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.outcome import Unmeasured

__all__ = ["Load", "parse_report", "run_wrk", "wrk_is_there"]

_SCRIPT = Path(__file__).with_name("wrk.lua")
_ERRORS = ("connect", "read", "write", "timeout", "status")
_LATENCIES = ("p50", "p90", "p99", "p999", "max", "mean")


@dataclass(frozen=True, slots=True)
class Load:
    """One run: requests answered in so many seconds, latencies in microseconds, and what went wrong how often."""

    requests: int
    seconds: float
    bytes: int
    latency_us: Mapping[str, float]
    errors: Mapping[str, int]
    not_found: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def faults(self) -> str:
        """What went wrong, in words; empty if nothing did. ``status`` are answers of 400 and above."""
        return ", ".join(f"{count} {kind} errors" for kind, count in self.errors.items() if count)

    def to_json(self) -> dict[str, Any]:
        """As it goes into the file of figures."""
        return {"rate": round(self.rate, 1), **asdict(self)}


def wrk_is_there() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def run_wrk(
    port: int,
    path: str,
    *,
    connections: int,
    seconds: int,
    headers: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
) -> Load:
    """Ask for ``path`` for so many seconds; ``options`` are those of ``wrk.lua``. Runs where the caller runs."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--latency",
        "--timeout",
        "10s",
        "-s",
        str(_SCRIPT),
    ]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        run = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{path}"],
            env={**os.environ, **(options or {}), "WRK_REPORT": str(report)},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 60,
        )
        if run.returncode != 0 or not report.exists():
            raise Unmeasured(f"wrk ended with status {run.returncode}: {(run.stderr or run.stdout)[-500:]}")
        return parse_report(report.read_text())


def parse_report(text: str) -> Load:
    """Read what ``wrk.lua`` wrote; raise `Unmeasured` for anything else, and for a run without an answer."""
    try:
        value = json.loads(text)
        load = Load(
            requests=int(value["requests"]),
            seconds=int(value["microseconds"]) / 1e6,
            bytes=int(value["bytes"]),
            latency_us={name: float(value["latency_us"][name]) for name in _LATENCIES},
            errors={name: int(value["errors"][name]) for name in _ERRORS},
            not_found=int(value["not_found"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unmeasured(f"wrk's report cannot be read ({error!r}): {text[:300]!r}") from error
    if load.requests < 1 or load.seconds <= 0:
        raise Unmeasured(f"not one request was answered: {load.faults or 'and no error was told'}")
    return load
