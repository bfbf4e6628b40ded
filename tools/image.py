"""Build the images without a Docker engine: ``python tools/image.py FOLDER`` (as root, on Debian).

Everything is kept in FOLDER, the containers' storage included. The base is a Debian made by debootstrap, which
stands in for the one that the Dockerfile pins by digest where no registry of images can be reached.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ("buildah", "debootstrap")
TARGETS = {"serve": "cripto-prediction-api", "jobs": "cripto-prediction-jobs"}
TAG = "tried"
_BASE = "localhost/cripto-base:bookworm"
MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"  # as in the name of the base that the Dockerfile pins
_PACKAGES = "python3.11,python3-distutils,python3.11-venv,ca-certificates"
_ENGINE = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE = """[storage]
driver = "overlay"
graphroot = "{folder}/images"
runroot = "{folder}/running"
"""


def image(target: str) -> str:
    """Return the name and tag that `build` gives the image of a target of the Dockerfile."""
    return f"localhost/{TARGETS[target]}:{TAG}"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which buildah and podman keep all they have in ``folder``."""
    return {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }


def build(folder: Path, arguments: Mapping[str, str] | None = None, *, again: bool = True) -> None:
    """Build both images in ``folder``, with further build ``arguments``; a CalledProcessError if that fails.

    ``again`` says that it may happen again there: each step is kept, which takes longer, and need not be repeated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(_ENGINE)
    (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
    _make_base(folder)
    options = ["--isolation", "chroot", "--pull-never", "--network", "host", "--format", "docker"]
    options += [f"--layers={str(again).lower()}"]
    options += [f"--volume={mount}" for mount in pip_mounts(folder)]
    values = {"PYTHON_IMAGE": _BASE, **(arguments or {})}
    options += [f"--build-arg={name}={value}" for name, value in values.items()]
    for target in TARGETS:
        # the last target is the default one, and is asked for as the README does
        wanted = [] if target == "serve" else ["--target", target]
        _run(folder, "buildah", "bud", *options, *wanted, "--tag", image(target), str(ROOT))


def _make_base(folder: Path) -> None:
    if _run(folder, "buildah", "images", "--quiet", "--filter", f"reference={_BASE}").strip():
        return
    root = folder / "base"
    shutil.rmtree(root, ignore_errors=True)
    _run(folder, "debootstrap", "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(root), MIRROR)
    for name in ("python", "python3"):
        (root / "usr/bin" / name).unlink(missing_ok=True)
        (root / "usr/bin" / name).symlink_to("python3.11")
    for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / unneeded, ignore_errors=True)
    container = _run(folder, "buildah", "from", "scratch").strip()
    _run(folder, "buildah", "copy", "--quiet", container, str(root), "/")
    _run(folder, "buildah", "commit", "--quiet", "--rm", container, _BASE)
    shutil.rmtree(root)


def pip_mounts(folder: Path) -> Iterator[str]:
    """The mounts with which pip finds in a build what it finds here: its configuration, and what that names."""
    listed = _run(folder, sys.executable, "-m", "pip", "config", "list")
    # variables count most, wherever they are listed
    lines = sorted(listed.splitlines(), key=lambda line: line.startswith(":env:"))
    options = {
        name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in (x.partition("=") for x in lines)
    }
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        options.setdefault("cert", bundle)
    # these name places where this machine's own installations go
    for name in ("target", "prefix", "user", "root", "cache-dir", "require-virtualenv", "config-file"):
        options.pop(name, None)
    # an indented line goes on with the one before
    told = "".join(f"{name} = " + "\n    ".join(value.splitlines()) + "\n" for name, value in options.items())
    configuration = folder / "pip.conf"
    configuration.touch(mode=0o600)  # the address of an index may hold a password
    configuration.write_text(f"[global]\n{told}")
    yield f"{configuration}:/etc/pip.conf:ro"
    places: set[Path] = set()
    for name, value in options.items():
        for word in value.split():
            place = Path(word.removeprefix("file://"))
            if place.is_absolute() and place.exists():
                # the pages of an index link to files beside it
                places.add(place.parent if name.endswith("index-url") and len(place.parts) > 2 else place)
    for place in sorted(places):
        yield f"{place}:{place}:ro"


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, env=environment(folder), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main() -> int:
    """Run the tool."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        print(
            f"MISSING: {', '.join(missing)}; `make debian-image` installs what it takes (as root)", file=sys.stderr
        )
        return 1
    folder = Path(sys.argv[1]).resolve()
    build(folder)
    print(_run(folder, "buildah", "images"))
    print(f"CONTAINERS_CONF={folder}/containers.conf CONTAINERS_STORAGE_CONF={folder}/storage.conf podman run ...")
    return 0


if __name__ == "__main__":
    sys.exit(main())
