"""Several real workers on one port: they count as one, are replaced when they die, and end together."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from cripto.domain.clock import SystemClock
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import HOURLY, random_walk
from tests.doubles.processes import command, free_port
from tests.integration.live import until
from tests.integration.serving_store import ask, filled_store
from tests.unit.forecasting.toys import draft

COUNTED = 'cripto_http_requests_total{method="GET",route="/symbol/{ativo}",status="200"}'


class Service:
    """A server of two workers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    @property
    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def metrics(self) -> dict[str, float]:
        text = ask(self.port, "/metrics").decode()
        return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.M)}

    def scrapes(self, count: int = 12) -> list[dict[str, float]]:
        """Scrapes on connections of their own, so that both workers have had theirs."""
        return [self.metrics() for _ in range(count)]

    def until_both_serve(self) -> None:
        # a worker that has not told its figures yet counts for none
        until(lambda: self.told() == 2 and all(found["cripto_models_loaded"] == 5 for found in self.scrapes()))

    def told(self) -> int:
        return len(list(self.folder.glob("figures-*.json")))

    @property
    def folder(self) -> Path:
        variables = Path(f"/proc/{self.workers[0]}/environ").read_bytes().split(b"\0")
        return Path(
            next(item for item in variables if item.startswith(b"PROMETHEUS_MULTIPROC_DIR="))
            .partition(b"=")[2]
            .decode()
        )


@contextmanager
def two_workers(url: str, cwd: Path, *, code: int = 0, intervals: str = "") -> Iterator[Service]:
    port = free_port()
    settings = {
        "CRIPTO_STORE": url,
        "CRIPTO_WORKERS": "2",
        "CRIPTO_INTERVALS": intervals,
        "CRIPTO_REFRESH_SECONDS": "3600",
        "CRIPTO_RELOAD_SECONDS": "0",
        "PORT": str(port),
        "TMPDIR": str(cwd),
    }
    with (cwd / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cripto.cli", "serve"], env={**os.environ, **settings}, cwd=cwd, stderr=log
        )
    try:
        ask(port, "/symbol/BTC")
        service = Service(process, port)
        service.until_both_serve()
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            ended = process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert ended == code, (cwd / "log").read_text()


def test_two_workers_count_as_one_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with two_workers(filled_store(tmp_path), tmp_path) as service:
        before = service.metrics()
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _: ask(service.port, "/symbol/BTC"), range(100)))
        for found in service.scrapes():
            assert found[COUNTED] == before[COUNTED] + 100
            assert found["cripto_prediction_seconds_count"] == before["cripto_prediction_seconds_count"] + 100
            assert found["cripto_predictions_computed_total"] == 4  # two assets in either worker
            assert found["cripto_refreshes_total"] == 2
            assert found['cripto_release_info{interval="1d",release="20250729-2130"}'] == 1

        killed, kept = service.workers
        last = service.metrics()
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(service.workers) - {killed, kept}) == 1)
        until(lambda: service.metrics()["cripto_refreshes_total"] == 3)  # the new one has looked as well
        for found in service.scrapes():
            assert {name for name in last if "_total" in name and found[name] < last[name]} == set()
            assert found[COUNTED] == last[COUNTED]
            assert found["cripto_refreshes_total"] == 3
        folder, workers = service.folder, service.workers
        assert folder.parent == tmp_path
    assert not folder.exists()
    assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_reload_of_one_worker_is_followed_by_the_other_in_every_interval(tmp_path: Path) -> None:
    url = filled_store(tmp_path)
    open_lake(url).upsert(random_walk(["BTC", "ETH"], 80, HOURLY))
    registry = ReleaseRegistry(open_store(url))

    def promoted(version: str) -> None:
        registry.promote(registry.publish(draft(version, interval="1h")).release, "1d", SystemClock())

    promoted("20250729-2200")
    with two_workers(url, tmp_path, intervals="1h") as service:
        for name in ("assets", "assets_behind"):
            assert service.metrics()[f'cripto_{name}{{interval="1h"}}'] == 2
        assert b'"intervalo":"1h"' in ask(service.port, "/symbol/BTC?intervalo=1h")
        filled_store(tmp_path, "20250801-0000")
        registry.promote(registry.versions()[-1], "1d", SystemClock())
        promoted("20250801-0100")
        assert b"20250801-0000" in ask(service.port, "/reload")
        told = 'cripto_release_info{{interval="{}",release="{}"}}'
        new = {told.format("1d", "20250801-0000"), told.format("1h", "20250801-0100")}
        old = {told.format("1d", "20250729-2130"), told.format("1h", "20250729-2200")}
        until(lambda: all(new <= found.keys() and not old & found.keys() for found in service.scrapes()))
        assert service.metrics()["cripto_reloads_total"] == 1


def test_the_port_is_given_up_at_once_while_a_worker_still_answers(tmp_path: Path) -> None:
    counted = 'cripto_http_requests_total{method="GET",route="/openapi.json",status="200"}'

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", service.port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    def full() -> bool:
        before = service.metrics().get(counted, 0)
        time.sleep(0.3)
        return 0 < before == service.metrics()[counted]

    with (
        two_workers(filled_store(tmp_path), tmp_path) as service,
        socket.create_connection(("127.0.0.1", service.port), 30) as unread,
    ):
        # more than the kernel keeps for a connection: an answer is under way for as long as nobody reads
        unread.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
        until(full)
        service.process.send_signal(signal.SIGTERM)
        until(refused)
        assert service.process.poll() is None
        assert len(service.workers) >= 1


def test_the_workers_end_when_what_started_them_is_killed(tmp_path: Path) -> None:
    with two_workers(filled_store(tmp_path), tmp_path, code=-signal.SIGKILL) as service:
        workers = service.workers
        service.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in workers))


def test_a_worker_that_dies_at_each_start_is_not_started_without_end(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'cripto.cli.worker' in sys.orig_argv: sys.exit(9)\n"
    )
    env = {**os.environ, "CRIPTO_STORE": "memory://", "CRIPTO_WORKERS": "2", "PORT": str(free_port())}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cripto.cli", "serve"],
            env={**env, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            stderr=output,
        )
        until(lambda: log.read_text().count("ended with code") >= 4)
        begun, ended = time.monotonic(), log.read_text().count("ended with code")
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
        most = ended + 2 + 2 * (time.monotonic() - begun)
    assert log.read_text().count("ended with code") <= most


@pytest.mark.parametrize("name", ["serve", "up"])
def test_a_port_that_is_taken_is_one_error_whoever_finds_it(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        env = {"CRIPTO_STORE": "memory://", "CRIPTO_WORKERS": "2", "PORT": str(port)}
        done = command(name, env=env, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.count("cannot be listened on") == 1
    assert "Traceback" not in done.stderr


def test_no_place_for_what_workers_share_is_one_error(tmp_path: Path) -> None:
    env = {"CRIPTO_STORE": "memory://", "CRIPTO_WORKERS": "2", "PORT": str(free_port())}
    # every folder that tempfile would try is gone, the working one included
    code = (
        "import sys, tempfile; tempfile.tempdir = '/nowhere/at/all'; sys.argv = ['cripto', 'serve']; "
        "from cripto.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "cripto: CRIPTO_WORKERS: several workers share a temporary folder" in done.stderr
    assert "Traceback" not in done.stderr
