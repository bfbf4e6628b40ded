import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cripto.domain.clock import FixedClock
from cripto.features import default_spec
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.releases import publish_toy_release, toy_draft
from tests.unit.cli.conftest import Command

LATER = "20250801-0000"


@pytest.fixture
def two(filled: str) -> str:
    clock = FixedClock(datetime(2025, 8, 1, tzinfo=UTC))
    publish_toy_release(open_store(filled), spec=default_spec(), version=LATER, seed=1, clock=clock)
    return filled


def promoted(cripto: Command) -> list[str]:
    listed = json.loads(cripto("models", "list", "--json").out)["releases"]
    return [item["release"] for item in listed if item["promoted"]]


def test_an_empty_store_lists_nothing(cripto: Command, store: str) -> None:
    assert json.loads(cripto("models", "list", "--json").out) == {"releases": [], "joblibs": [], "refused": []}


def test_releases_are_listed_oldest_first_with_the_promoted_one(cripto: Command, two: str) -> None:
    listed = json.loads(cripto("models", "list", "--json").out)["releases"]
    assert [item["release"] for item in listed] == ["20250729-2130", LATER]
    assert promoted(cripto) == ["20250729-2130"]
    assert "20250729-2130" in cripto("models", "list").out


def test_promote_and_roll_back(cripto: Command, two: str) -> None:
    assert json.loads(cripto("models", "promote", LATER, "--json").out)["sequence"] == 2
    assert promoted(cripto) == [LATER]
    assert cripto("models", "promote", LATER).code == 0
    assert cripto("models", "rollback").code == 0
    assert promoted(cripto) == ["20250729-2130"]
    assert cripto("models", "rollback").code == 2


@pytest.mark.parametrize("command", ["show", "verify", "promote"])
def test_an_unknown_release_is_the_callers_fault(cripto: Command, filled: str, command: str) -> None:
    result = cripto("models", command, "20990101-0000")
    assert result.code == 2
    assert "20990101-0000" in result.err
    assert cripto("models", command, "newest").code == 2


def test_a_changed_file_is_found_and_cannot_be_promoted(cripto: Command, two: str) -> None:
    assert cripto("models", "verify", LATER).code == 0
    path = Path(urlsplit(two).path) / "models" / "releases" / LATER / "regressor_rf.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    result = cripto("models", "verify", LATER, "--json")
    assert result.code == 1
    assert [item["path"] for item in json.loads(result.out)["findings"]] == [
        f"models/releases/{LATER}/regressor_rf.onnx"
    ]
    assert cripto("models", "verify", LATER).code == 1
    assert cripto("models", "promote", LATER).code == 3
    assert promoted(cripto) == ["20250729-2130"]


def test_a_release_without_proofs_cannot_be_promoted_and_says_what_to_do(cripto: Command, filled: str) -> None:
    draft = replace(toy_draft(spec=default_spec(), version=LATER), proofs=None)
    ReleaseRegistry(open_store(filled)).publish(draft)
    result = cripto("models", "promote", LATER)
    assert result.code == 3
    assert "carries no proofs" in result.err
    assert "cripto train --promote" in " ".join(result.err.split())
    assert promoted(cripto) == ["20250729-2130"]
    assert "proofs: it carries no proofs" in cripto("models", "show", LATER).out
    listed = json.loads(cripto("models", "list", "--json").out)["releases"]
    assert [item["proofs"] for item in listed] == ["whole", "it carries no proofs"]


def test_a_malformed_manifest_is_listed_as_refused(cripto: Command, two: str) -> None:
    path = Path(urlsplit(two).path) / "models" / "releases" / LATER / "manifest.json"
    path.write_text("{}")
    listed = json.loads(cripto("models", "list", "--json").out)
    assert [item["release"] for item in listed["refused"]] == [LATER]
    assert "refused" in cripto("models", "list").out


def test_show_prints_the_manifest(cripto: Command, filled: str) -> None:
    manifest = json.loads(cripto("models", "show", "20250729-2130", "--json").out)
    assert manifest["release"] == "20250729-2130"
    assert len(manifest["models"]) == 5
    assert "classifier_log" in cripto("models", "show", "20250729-2130").out
