"""The project's images, built and run here without a Docker engine: buildah, and podman over runc."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.image import MIRROR, PROGRAMS, SUITE, environment

__all__ = ["HARDENED", "Container", "Engine", "limits", "missing", "unreached"]

_NEEDED = (*PROGRAMS, "podman", "runc", "catatonit")
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=ALL")
"""Options of a container that may write nothing but /tmp and do nothing beyond running."""


def missing() -> str:
    """Why images cannot be built and run here, or nothing."""
    if os.geteuid() != 0:
        return "IMAGES NOT TRIED: that takes root"
    if lacking := [name for name in _NEEDED if shutil.which(name) is None]:
        return (
            f"IMAGES NOT TRIED: {', '.join(lacking)} missing; `make debian-image` installs what it takes (as root)"
        )
    return ""


def unreached(mirror: str = MIRROR) -> str:
    """Why no Debian can be made here, or nothing: asked as debootstrap asks, with the same proxies."""
    ask = ["wget", "--quiet", "--tries=2", "--timeout=30", "--output-document=/dev/null"]
    if subprocess.run([*ask, f"{mirror}/dists/{SUITE}/Release"], check=False).returncode == 0:
        return ""
    return f"IMAGES NOT TRIED: the mirror {mirror} cannot be reached, and without it there is no base"


def limits(*, memory: str, cpus: str = "") -> tuple[str, ...]:
    """Options of a container that may use so much memory and so many CPUs, as far as control groups are there."""
    groups = Path("/sys/fs/cgroup")
    version_2 = groups / "cgroup.controllers"
    there = version_2.read_text().split() if version_2.exists() else [path.name for path in groups.glob("*")]
    asked = {"memory": f"--memory={memory}" if memory else "", "cpu": f"--cpus={cpus}" if cpus else ""}
    return tuple(option for name, option in asked.items() if option and name in there)


@dataclass(frozen=True, slots=True)
class Container:
    """A container that was started; ``name`` is podman's."""

    engine: "Engine"
    name: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, whatever becomes of it."""
        return self.engine.podman("exec", self.name, *command, check=False)

    def shell(self, script: str) -> str:
        """What a shell script prints in it; it must end well."""
        done = self.run("sh", "-c", script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def stop(self, seconds: int) -> tuple[int, float]:
        """Send SIGTERM, and SIGKILL after ``seconds``: the exit code, and how long it took."""
        begun = time.monotonic()
        self.engine.podman("stop", f"--time={seconds}", self.name, timeout=seconds + 60)
        took = time.monotonic() - begun
        return int(self.engine.inspect(self.name)["State"]["ExitCode"]), took

    def logs(self) -> str:
        """What it has written."""
        done = self.engine.podman("logs", self.name, check=False)
        return done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Engine:
    """podman, with everything it keeps in ``folder``."""

    folder: Path

    def podman(self, *words: str, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run ``podman WORDS``."""
        done = subprocess.run(
            ["podman", *words],
            env=environment(self.folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert done.returncode == 0 or not check, f"podman {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done

    def inspect(self, name: str) -> Any:
        """What podman knows of an image or a container."""
        return json.loads(self.podman("inspect", name).stdout)[0]

    @contextmanager
    def running(
        self, image: str, *options: str, env: Mapping[str, str], command: Sequence[str] = ()
    ) -> Iterator[Container]:
        """Run ``image`` in the background on this machine's network, and remove it afterwards."""
        name = f"cripto-{uuid.uuid4().hex[:8]}"
        settings = [f"--env={key}={value}" for key, value in env.items()]
        # podman would have systemd ask the health check, and finds none
        fixed = ["--detach", f"--name={name}", "--network=host", "--pull=never", "--no-healthcheck"]
        try:
            self.podman("run", *fixed, *options, *settings, image, *command)
            yield Container(self, name)
        finally:
            self.podman("rm", "--force", "--ignore", "--time=5", name, check=False)

    def remove(self) -> None:
        """End and delete everything it has, its folder included."""
        for words in (("pod", "rm", "--all", "--force"), ("rm", "--all", "--force"), ("rmi", "--all", "--force")):
            self.podman(*words, check=False)
        subprocess.run(["umount", str(self.folder / "images" / "overlay")], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
