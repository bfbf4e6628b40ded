"""What the service exports, as it tells it, and what an expression of PromQL asks for."""

import functools
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from shutil import which

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.forecasting.toys import House
from tests.unit.serving.client import Client, application

__all__ = ["exported", "labels_used", "metrics_used", "problems", "promtool", "rules_of"]

OF_THE_TARGET = {"instance", "job", "namespace", "pod"}
"""Labels that Prometheus adds to whatever it scrapes."""


@functools.cache
def exported() -> Mapping[str, frozenset[str]]:
    """The names of the series that a server tells of, with their labels, once each kind of thing has happened."""
    house = House("BTC")
    house.service.load()
    client = Client(application(house))
    for path in ("/symbol/BTC", "/symbol/NOPE", "/reload", "/health"):
        client.get(path)
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | frozenset(sample.labels)
    return found


def metrics_used(expression: str) -> set[str]:
    """The series that an expression names."""
    return set(re.findall(r"\bcripto_\w+", _unquoted(expression)))


def labels_used(expression: str) -> set[tuple[str, str]]:
    """The labels that an expression asks of each series, where it selects and where it aggregates.

    An aggregation's labels count for every series of the expression, whichever it is of.
    """
    text = _unquoted(expression)
    selected = {
        (name, label)
        for name, matchers in re.findall(r"\b(cripto_\w+)\s*\{([^}]*)\}", text)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
    }
    grouped = {
        label.strip()
        for group in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", text)
        for label in group.split(",")
    }
    return selected | {(name, label) for name in metrics_used(expression) for label in grouped}


def problems(expression: str) -> list[str]:
    """What an expression asks for that no scrape gives."""
    found, used = exported(), metrics_used(expression)
    return [f"{name} is not exported" for name in sorted(used - set(found))] + [
        f"{name} has no label {label}"
        for name, label in sorted(labels_used(expression))
        if name in found and label not in found[name] | OF_THE_TARGET
    ]


def promtool(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool, or skip loudly."""
    program = which("promtool")
    if program is None:
        pytest.skip("PROMTOOL MISSING: Debian's package prometheus has it; `make debian` installs it (as root)")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def rules_of(expressions: list[str]) -> str:
    """A file of recording rules of these, for promtool to parse."""
    rules = [{"record": f"checked:{number}", "expr": text} for number, text in enumerate(expressions)]
    return str(yaml.safe_dump({"groups": [{"name": "checked", "rules": rules}]}))


def _unquoted(expression: str) -> str:
    """The expression with nothing in its strings."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
