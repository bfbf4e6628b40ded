"""A real S3 server on 127.0.0.1: Ceph's object gateway, over one monitor and one storage daemon in memory."""

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.doubles.processes import free_port

__all__ = ["Gateway", "missing_programs", "radosgw"]

_PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin", "setpriv")
_DEADLINE = 60.0
_STARTS = 3
_SETTINGS = """
[global]
fsid = {fsid}
mon initial members = a
mon host = [v1:127.0.0.1:{monitor}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
rgw data = {folder}/rgw
run dir = {folder}
log file = {folder}/$name.log
pid file =
# a socket's path has to be short, and that of a temporary folder may be long
admin socket =

mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 500
# each pool made is a round of the monitor, and a round waits a second unless told otherwise
paxos propose interval = 0.02
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 1073741824
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off

[client.rgw.a]
rgw dynamic resharding = false
rgw enable usage log = false
rgw run sync thread = false
"""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the server is, and the keys of its one user."""

    url: str
    key_id: str
    secret: str


def missing_programs() -> list[str]:
    """What of the server is not installed."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


@contextmanager
def radosgw(folder: Path) -> Iterator[Gateway]:
    """Run the server with its files in ``folder``, which must be empty; a second to start.

    A daemon that dies while they start means a new start, in another folder of it and on other ports.
    """
    with ExitStack() as ended:
        yield _started(folder, ended)


def _started(folder: Path, ended: ExitStack) -> Gateway:
    failures = []
    for number in range(_STARTS):
        attempt = folder / str(number)
        attempt.mkdir()
        with ExitStack() as begun:
            try:
                gateway = _Cluster(attempt, begun).start()
            except (AssertionError, subprocess.TimeoutExpired) as failure:
                failures.append(str(failure))
            else:
                ended.push(begun.pop_all())
                return gateway
    raise AssertionError("\n".join(failures))


class _Cluster:
    def __init__(self, folder: Path, ended: ExitStack) -> None:
        self._folder = folder
        self._ended = ended
        self._running: list[subprocess.Popen[bytes]] = []
        self._refusal = ""
        self._fsid = str(uuid.uuid4())
        self._monitor = free_port()
        for name in ("mon", "osd", "rgw"):
            (folder / name).mkdir()
        (folder / "ceph.conf").write_text(
            _SETTINGS.format(fsid=self._fsid, folder=folder, monitor=self._monitor).lstrip()
        )

    def start(self) -> Gateway:
        self._start_monitor()
        self._start_storage()
        return self._start_gateway()

    def _start_monitor(self) -> None:
        keyring, monmap = self._folder / "keyring", self._folder / "monmap"
        everything = [option for part in ("mon", "osd", "mgr") for option in ("--cap", part, "allow *")]
        address = f"[v1:127.0.0.1:{self._monitor}]"
        self._run(
            "ceph-authtool", keyring, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._start("ceph-mon", "-i", "a")

    def _start_storage(self) -> None:
        identity = str(uuid.uuid4())
        self._until(lambda: self._asked("osd", "new", identity) is not None)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        # without the option it forgets the cluster's id until it has the monitor's map: if it speaks before,
        # it is told "wrong fsid", and ends
        self._start("ceph-osd", "-i", "0", "--no-mon-config")
        self._until(self._storage_is_up)

    def _storage_is_up(self) -> bool:
        return bool(json.loads(self._asked("osd", "stat", "--format", "json") or "{}").get("num_up_osds"))

    def _start_gateway(self) -> Gateway:
        port = free_port()
        gateway = Gateway(f"http://127.0.0.1:{port}", "AKRADOSGW", uuid.uuid4().hex)
        # without it each answer of more than one part waits 40 ms for the acknowledgement of the first
        listen = f"--rgw-frontends=beast endpoint=127.0.0.1:{port} tcp_nodelay=1"
        self._start("radosgw", "-n", "client.rgw.a", listen)
        self._until(lambda: _answers(gateway.url))
        keys = ("--access-key", gateway.key_id, "--secret-key", gateway.secret)
        self._run("radosgw-admin", "user", "create", "--uid", "tests", "--display-name", "tests", *keys)
        return gateway

    def _asked(self, *words: str) -> str | None:
        """What the monitor answers; nothing where it refused, as it does whoever has no map of it yet."""
        done = self._done("ceph", "--connect-timeout", "10", *words)
        self._refusal = done.stderr
        return done.stdout if done.returncode == 0 else None

    def _run(self, program: str, *args: str | Path) -> None:
        done = self._done(program, *args)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}\n{self._said()}"

    def _done(self, program: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-c", self._folder / "ceph.conf", *args],
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE,
            env=_environment(),
        )

    def _start(self, program: str, *args: str) -> None:
        with (self._folder / f"{program}.out").open("wb") as output:
            process = subprocess.Popen(
                # the kernel ends it with this process, even where that one is killed
                ["setpriv", "--pdeathsig", "KILL", program, "-f", "-c", self._folder / "ceph.conf", *args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
            )
        self._running.append(process)
        self._ended.callback(_end, process)

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not done():
            assert all(process.poll() is None for process in self._running), self._said()
            assert time.monotonic() < deadline, self._said()
            time.sleep(0.05)

    def _said(self) -> str:
        told = [path.read_text(errors="replace")[-2000:] for path in self._folder.glob("*.out")]
        return "\n".join([self._refusal, *told])


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    # nothing is to be kept, and asked politely the daemons take seconds
    process.kill()
    process.wait()
