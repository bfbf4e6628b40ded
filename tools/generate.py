"""Write every generated file, or with --check say which has drifted."""

import argparse
import difflib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer.main

ROOT = Path(__file__).parent.parent


def requirements() -> str:
    """Return what the serving image installs."""
    return _locked("what `cripto serve` needs. The project itself is not in it", "--extra=serve", "--no-dev")


def jobs_requirements() -> str:
    """Return what the image of collector and trainer installs."""
    said = "what the collector and the trainer need. The project itself is not in it"
    return _locked(said, "--extra=collect", "--extra=train", "--no-dev")


def build_requirements() -> str:
    """Return what builds the project while an image is made."""
    return _locked("what builds the project for an image", "--only-group=image")


def _locked(said: str, *options: str) -> str:
    """Requirements of the lock, with hashes, under a line that says what they are."""
    command = [str(ROOT / ".uv" / "bin" / "uv"), "export", "--quiet", "--frozen", "--no-emit-project"]
    command += ["--no-header", "--no-annotate", *options]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return f"# Generated from uv.lock by `make update`: {said}.\n{listed}"


def openapi() -> str:
    """Return the OpenAPI document."""
    from cripto.cli.serve import application
    from cripto.cli.wiring import Installation
    from cripto.domain.clock import SystemClock
    from cripto.settings import Settings

    app = application(Installation(Settings(store="memory://"), SystemClock()))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Return the CLI reference: what --help says of each command."""
    from cripto.cli.app import build

    parts = [
        f"# Command line\n\nGenerated from `cripto --help` of version {version('cripto')} by `make update`.\n"
    ]
    for path, command in sorted(_commands(typer.main.get_command(build()), ("cripto",))):
        context = command.context_class(
            command, info_name=" ".join(path), terminal_width=100, max_content_width=100
        )
        parts.append(f"## {' '.join(path)}\n\n```\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def prometheus_rule() -> str:
    """Return the alerts as the Prometheus operator takes them; kustomize reads no file outside its component."""
    lines = (ROOT / "monitoring" / "alerts.yaml").read_text().splitlines()
    return (
        "# Generated from monitoring/alerts.yaml by `make update`.\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: cripto-prediction-api\n"
        "  labels:\n"
        "    app: cripto-prediction-api\n"
        "    release: kube-prometheus-stack\n"
        "spec:\n"
    ) + "".join(f"  {line}\n" for line in lines if not line.lstrip().startswith("#"))


GENERATED = {
    "requirements.txt": requirements,
    "docker/requirements-jobs.txt": jobs_requirements,
    "docker/requirements-build.txt": build_requirements,
    "docs/openapi.json": openapi,
    "docs/cli.md": reference,
    "k8s/components/monitoring/alerts.yaml": prometheus_rule,
}


def main() -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is out of date")
    check = parser.parse_args().check
    drifted = []
    for name, make in GENERATED.items():
        path, wanted = ROOT / name, make()
        found = path.read_text() if path.exists() else ""
        if found == wanted:
            continue
        drifted.append(name)
        if check:
            sys.stdout.writelines(
                list(difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), name, "generated"))[:40]
            )
        else:
            path.write_text(wanted)
            print(f"wrote {name}")
    if check and drifted:
        print(f"out of date: {', '.join(drifted)}. Run `make update` and commit the result.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
