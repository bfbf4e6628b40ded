"""What the process of a server is made of: the modules it imports and the threads it starts."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.doubles.processes import UNMEASURED, free_port
from tests.integration.serving_store import ask, filled_store

NEVER = {
    *("sklearn", "skl2onnx", "onnx", "joblib", "scipy", "ccxt", "pyspark", "pandas", "pyarrow", "matplotlib"),
    *("rich", "pygments", "structlog", "typer", "boto3", "botocore", "websockets", "filelock"),
    *("opentelemetry.sdk", "opentelemetry.exporter", "requests", "cripto.serving.open_telemetry"),
    *("cripto.training", "cripto.registry.convert.child", "cripto.cli.app", "cripto.market.importing"),
}
"""What trains, fetches, parses a command line, prints in colour, traces, writes to a store or reaches a bucket."""


def test_a_server_of_a_folder_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, **UNMEASURED, "CRIPTO_STORE": filled_store(tmp_path), "PORT": str(port)}
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "cripto.cli", "serve"],
            env=env,
            cwd=tmp_path,
            stderr=output,
            stdout=output,
        )
    try:
        ask(port, "/symbol/BTC")
        for path in ("/health", "/models", "/metrics", "/docs", "/openapi.json", "/reload", "/symbol/NOPE"):
            ask(port, path, any_status=True)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    imported = set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+)$", log.read_text(), re.M))
    assert {"polars", "onnxruntime", "deltalake", "fastapi", "cripto.serving.app"} <= imported
    assert imported & NEVER == set()


def test_a_server_on_one_cpu_keeps_one_thread_where_a_library_has_one_a_cpu(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, **UNMEASURED, "CRIPTO_STORE": filled_store(tmp_path), "PORT": str(port)}
    cpu = str(min(os.sched_getaffinity(0)))
    process = subprocess.Popen(
        ["taskset", "-c", cpu, sys.executable, "-m", "cripto.cli", "serve"],
        env=env,
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        ask(port, "/symbol/BTC")
        names = [(path / "comm").read_text().strip() for path in Path(f"/proc/{process.pid}/task").iterdir()]
        environ = Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert b"POLARS_MAX_THREADS" not in environ  # found out by the process, not given to it
    assert [name for name in names if name.startswith("polars-") and name[7:].isdecimal()] == ["polars-0"]
