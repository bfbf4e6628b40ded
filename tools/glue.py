"""Lay out in dist/glue what an AWS Glue job takes: its script, this project's wheel, and pinned requirements."""

import argparse
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
RUNTIME = "5.1"
"""The version of Glue that the pins are for: Python 3.11 on Amazon Linux 2023, x86_64."""

_OF_GLUE = frozenset({"boto3", "botocore", "s3transfer", "urllib3"})
"""What stays as Glue has it: newer ones quarrel with the other AWS clients on its image."""

_TARGET = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def pins() -> list[str]:
    """Everything the job imports beside Spark and this project, as the lock has it, one version each."""
    command = [str(ROOT / ".uv" / "bin" / "uv"), "export", "--quiet", "--frozen", "--extra", "glue", "--no-dev"]
    command += ["--no-emit-project", "--no-header", "--no-annotate", "--no-hashes"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    environment = {name: str(value) for name, value in {**default_environment(), **_TARGET}.items()}
    found = [Requirement(line) for line in listed.splitlines() if line.strip()]
    wanted = [item for item in found if not item.marker or item.marker.evaluate(environment)]
    return [f"{item.name}{item.specifier}" for item in wanted if item.name not in _OF_GLUE]


def arguments(folder: str, wheel: str) -> dict[str, str]:
    """The job's default arguments where its files lie in ``folder``, a URL of S3 below the store."""
    folder = folder.rstrip("/")
    return {
        "--store": folder.rpartition("/")[0],
        "--interval": "1d",
        "--promote": "true",
        "--additional-python-modules": ",".join([f"{folder}/{wheel}", *pins()]),
    }


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="s3://criptos-data/glue", help="where the files will lie")
    folder = parser.parse_args().folder
    wheel = ROOT / "dist" / f"cripto-{version('cripto')}-py3-none-any.whl"
    target = ROOT / "dist" / "glue"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(ROOT / "glue" / "train.py", target)
    shutil.copy(wheel, target)
    (target / "requirements.txt").write_text("\n".join(pins()) + "\n")
    (target / "arguments.json").write_text(json.dumps(arguments(folder, wheel.name), indent=2) + "\n")
    print(f"wrote {', '.join(sorted(path.name for path in target.iterdir()))} to dist/glue, for {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
