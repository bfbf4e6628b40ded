"""Terraform on a copy of the configuration, with an environment that holds nothing of this machine's."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

__all__ = ["CONFIGURATION", "PLUGINS", "Terraform", "need_terraform", "policies", "run"]

CONFIGURATION = Path(__file__).parents[2] / "terraform"
PLUGINS = "TF_PLUGIN_DIR"
"""Names the folder that holds ``registry.terraform.io/...``; without it, providers come from the registry."""


@dataclass(frozen=True)
class Terraform:
    """The copy in ``folder``, initialised; ``env`` reaches an account."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *args: str, seconds: float = 560) -> subprocess.CompletedProcess[str]:
        """Run ``terraform ARGS``; whatever it answers."""
        return run(*args, folder=self.folder, env=self.env, seconds=seconds)

    def done(self, *args: str) -> str:
        """Run ``terraform ARGS``, which must succeed; what it printed."""
        answer = self(*args)
        assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-4000:]
        return answer.stdout

    def resources(self) -> dict[str, dict[str, Any]]:
        """The values of every resource that exists, by address."""
        state = json.loads(self.done("show", "-json"))
        found = state.get("values", {}).get("root_module", {}).get("resources", [])
        return {resource["address"]: resource["values"] for resource in found if resource["mode"] == "managed"}


def need_terraform() -> None:
    """Skip, loudly, where there is no program ``terraform``."""
    if shutil.which("terraform") is None:
        pytest.skip("TERRAFORM MISSING: put the program (1.11 or newer) on the PATH")


def run(
    *args: str, folder: Path, env: Mapping[str, str] | None = None, seconds: float = 560
) -> subprocess.CompletedProcess[str]:
    """Run ``terraform ARGS`` in ``folder`` with only ``env`` added to what a shell needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    settings = {
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_CONFIG_FILE": os.devnull,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
    }
    return subprocess.run(
        ["terraform", *args],
        cwd=folder,
        env={**kept, **settings, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def policies(
    resources: Mapping[str, Mapping[str, Any]], kind: str, name: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address and document of every policy that resources of type ``kind`` hold as ``name``."""
    for address, values in resources.items():
        if address.startswith(f"{kind}.") and values.get(name):
            yield address, json.loads(values[name])
