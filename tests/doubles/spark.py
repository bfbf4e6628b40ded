"""Spark for tests: whether it is there, and this project installed as AWS Glue installs it."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

__all__ = ["ROOT", "descendants", "glue_environment", "glue_script", "install_as_glue", "need_spark", "running"]

ROOT = Path(__file__).parents[2]

_BASE: str = sys._base_executable  # type: ignore[attr-defined]
"""The interpreter that our environment was made of, without anything of it."""


def need_spark() -> None:
    """Skip loudly where Spark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("SPARK MISSING: `make setup-spark` installs it")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("JAVA MISSING: `make debian-java` installs it (as root)")


def install_as_glue(folder: Path) -> Path:
    """Put this project's wheel and all it needs into a folder apart from any interpreter's, as Glue does."""
    target = folder / "modules"
    target.mkdir()
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not entry.name.startswith("cripto") and entry.suffix != ".pth":
            (target / entry.name).symlink_to(entry)
    build = [str(ROOT / ".uv" / "bin" / "uv"), "build", "--quiet", "--wheel", "--out-dir", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, target, "zip")
    return folder


def glue_environment(folder: Path, store: Path) -> dict[str, str]:
    """The environment of a job: an interpreter without our environment, and what `install_as_glue` put there."""
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    return kept | {
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(folder / "modules"), str(ROOT / "tests" / "doubles" / "glue")]),
        "PYTHONWARNINGS": "ignore",
        "PYSPARK_PYTHON": _BASE,
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "CRIPTO_STORE": store.as_uri(),
    }


def glue_script(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start the job's script, unchanged, as Glue does; what it says is one line a step on standard error."""
    own = ["--JOB_NAME", "training", "--TempDir", "s3://nowhere/", "--job-bookmark-option", "job-bookmark-disable"]
    return subprocess.Popen(
        [_BASE, str(ROOT / "glue" / "train.py"), *own, *arguments],
        env=environment,
        cwd=environment["HOME"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def descendants(pid: int) -> set[int]:
    """The processes that ``pid`` started, and those that they did."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    found, added = {pid}, True
    while added:
        added = False
        for child, parent in parents.items():
            if parent in found and child not in found:
                found.add(child)
                added = True
    return found - {pid}


def running(pid: int) -> bool:
    """Whether the process still does anything: one that ended and that nobody asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
