"""The command line as another process: run to its end, killed on the way, or serving until it is told to stop."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

__all__ = ["UNMEASURED", "Served", "command", "free_port", "kill_after", "kill_once", "resident_kib", "serving"]


def command(*args: str | Path, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``cripto ARGS`` to its end with only ``env`` added to the environment."""
    return subprocess.run(
        [sys.executable, "-m", "cripto.cli", *map(str, args)],
        env={**os.environ, **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def kill_after(seconds: float, *args: str | Path, env: Mapping[str, str], cwd: Path) -> bool:
    """Start ``cripto ARGS`` and kill it, with every child, after ``seconds``; whether it was still running."""
    end = time.monotonic() + seconds
    return kill_once(lambda: time.monotonic() > end, *args, env=env, cwd=cwd)


def kill_once(due: Callable[[], bool], *args: str | Path, env: Mapping[str, str], cwd: Path) -> bool:
    """Start ``cripto ARGS`` and kill it, with every child, once ``due``; whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cripto.cli", *map(str, args)],
        env={**os.environ, **UNMEASURED, **env},
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not due():
        if process.poll() is not None:
            return False
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


_PORTS = range(15_000, 30_000)
"""Below those that Linux gives to whoever does not ask for one: 32768 and more."""


def free_port() -> int:
    """A port that nobody else is given: no outgoing connection, and no other caller on this machine."""
    for port in random.sample(_PORTS, len(_PORTS)):
        # a name that this process holds until it ends; a socket of the port itself would be in its server's way
        with socket.socket(socket.AF_UNIX) as claim, socket.socket() as listener, suppress(OSError):
            claim.bind(f"\0cripto-test-port-{port}")
            listener.bind(("", port))
            claim.detach()
            return port
    raise AssertionError("every port is taken")


UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""Environment of a process that no coverage is measured in.

Measuring takes memory of its own, and a process that is killed may leave half a file of what was measured."""


def resident_kib(pid: int | str = "self") -> int:
    """Resident memory of a process, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


class Served(httpx.Client):
    """A client of a server that runs as process ``pid``."""

    pid: int


@contextmanager
def serving(name: str, *, env: Mapping[str, str], cwd: Path, seconds: float = 480) -> Iterator[Served]:
    """Run ``cripto NAME`` (up or serve), give a client once a release is loaded; ask it to stop afterwards."""
    port = free_port()
    log = cwd / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cripto.cli", name],
            env={**os.environ, **env, "PORT": str(port)},
            cwd=cwd,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with Served(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            client.pid = process.pid
            deadline = time.monotonic() + seconds
            while not _ready(client):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False
