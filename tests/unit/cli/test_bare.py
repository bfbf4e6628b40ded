import json
from pathlib import Path

import pytest

from cripto.market.lake import open_lake
from cripto.storage import open_store
from tests.doubles.bare import put_bare, two_joblibs
from tests.doubles.candles import random_walk
from tests.unit.cli.conftest import Command

VERSION = "20250701-0000"


@pytest.fixture
def joblibs(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with candles and two joblibs that belong to no release, converted once a test; its URL."""
    open_lake(store).upsert(random_walk(["BTC", "ETH"], 120))
    put_bare(open_store(store), VERSION, two_joblibs())
    monkeypatch.setenv("CRIPTO_CACHE_DIR", str(tmp_path / "cache"))
    return store


def test_joblibs_without_a_release_are_listed(cripto: Command, joblibs: str) -> None:
    listed = json.loads(cripto("models", "list", "--json").out)
    assert listed["releases"] == []
    assert {item["model"]: item["version"] for item in listed["joblibs"]} == dict.fromkeys(two_joblibs(), VERSION)
    assert f"without a release: models/classifier_log_{VERSION}.joblib" in cripto("models", "list").out


def test_they_are_predicted_by(cripto: Command, joblibs: str) -> None:
    (answer,) = json.loads(cripto("predict", "BTC", "--json").out)["predictions"]
    assert answer["release"].startswith("joblib-")
    assert list(answer["modelos"]) == list(two_joblibs())
    result = cripto("predict", "BTC")  # a table has a place for each of the five
    assert (result.code, "BTC" in result.out) == (0, True)


def test_the_doctor_says_what_is_to_be_served_and_what_is_refused(cripto: Command, joblibs: str) -> None:
    def told() -> dict[str, dict[str, str]]:
        return {check["name"]: check for check in json.loads(cripto("doctor", "--json").out)["checks"]}

    found = told()
    assert found["files in the store"]["outcome"] == "ok"
    assert "joblib-" in found["files in the store"]["detail"]
    assert (found["integrity"]["outcome"], found["models"]["outcome"]) == ("skipped", "ok")
    open_store(joblibs).put("models/regressor_rf_20250702-0000.joblib", b"half")
    assert told()["files in the store"]["outcome"] == "warning"


def test_where_a_signature_is_demanded_they_are_not_served(
    cripto: Command, joblibs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.doubles.keys import OURS

    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", OURS.public.to_pem())
    monkeypatch.setenv("CRIPTO_REQUIRE_SIGNATURE", "true")
    result = cripto("predict", "BTC")
    assert result.code == 75
    assert "no release" in result.err
