import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cripto.domain.clock import FixedClock, rfc3339
from cripto.domain.release_version import ReleaseVersion
from cripto.features import default_spec
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import HOURLY, START, random_walk
from tests.doubles.releases import toy_draft
from tests.unit.cli.conftest import CREATED, Command

RELEASE = "20250729-2130"


@pytest.fixture
def trained(store: str) -> str:
    """A store with a promoted release that says it was trained on 90 days of BTC and ETH, and 220 days of them."""
    open_lake(store).upsert(random_walk(["BTC", "ETH"], 220))
    registry = ReleaseRegistry(open_store(store))
    told = {
        "last": rfc3339(START + timedelta(days=89)),
        "assets": {"BTC": {"rows": 30}, "ETH": {"rows": 30}},
        "reference": {"drift": 0.0, "base_rate": 0.5, "pooled_scale": 0.02, "scale": {}},
    }
    registry.publish(replace(toy_draft(spec=default_spec(), version=RELEASE), training=told))
    registry.promote(ReleaseVersion.parse(RELEASE), "1d", FixedClock(CREATED))
    return store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "candles.parquet"
    random_walk(["BTC", "NEW"], 200).drop("interval").write_parquet(path)
    return path


def test_promoted_release_is_scored_on_the_stores_newer_candles(cripto: Command, trained: str) -> None:
    result = cripto("evaluate", "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert report["release"] == RELEASE
    assert report["kind"] == "unseen candles"
    assert report["candles"] == {"store": True, "version": open_lake(trained).version()}
    assert report["groups"] == {
        "known assets, later": 2 * 129,
        "new assets, later": 0,
        "new assets, earlier": 0,
    }
    assert report["scored"]["first"] == rfc3339(START + timedelta(days=90))
    for model in report["models"].values():
        assert model["verdict"] == "sem habilidade", "its toy models were fitted on noise"
        assert model["intervals"]["skill"][0] < model["skill"] < model["intervals"]["skill"][1]


def test_candles_of_the_store_that_have_not_closed_are_not_scored(cripto: Command, trained: str) -> None:
    open_lake(trained).upsert(random_walk(["NEW"], 100, start=START + timedelta(days=99_999)))
    report = json.loads(cripto("evaluate", "--json").out)
    assert report["groups"]["new assets, later"] == 0


def test_file_is_scored_and_says_which_rows_are_which(cripto: Command, trained: str, file: Path) -> None:
    result = cripto("evaluate", "--candles", file, "--release", RELEASE, "--json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    assert report["candles"] == {"file": "candles.parquet", "rows": 400, "quarantined": 0, "symbols": 2}
    lookback = default_spec().lookback
    assert report["groups"]["known assets, later"] == report["groups"]["new assets, later"] == 200 - 1 - 90
    assert report["groups"]["new assets, earlier"] == 90 - (lookback - 1)
    assert report["left_out"] == {"trained_on": 90 - (lookback - 1)}
    assert report["new_assets"] == ["NEW"]


def test_table_says_verdicts_reasons_and_what_was_left_out(cripto: Command, trained: str, file: Path) -> None:
    result = cripto("evaluate", "--candles", file)
    assert result.code == 0, result.err
    assert "sem habilidade" in result.out
    assert "regressor_gbr" in result.out
    assert "it was trained on left out" in result.out
    assert "coins move together" in result.err


def test_page_is_written_beside_the_answer(cripto: Command, trained: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert cripto("evaluate", "--html", page, "--json").code == 0
    assert RELEASE in page.read_text()
    assert cripto("evaluate", "--html", tmp_path / "nowhere" / "page.html").code == 2


def test_nothing_is_stored(cripto: Command, trained: str, file: Path) -> None:
    store = open_store(trained)
    before = [(info.key, info.etag) for info in store.list("")]
    assert cripto("evaluate", "--candles", file, "--json").code == 0
    assert [(info.key, info.etag) for info in store.list("")] == before


def test_nothing_new_is_the_callers_to_change(cripto: Command, trained: str, tmp_path: Path) -> None:
    path = tmp_path / "old.parquet"
    random_walk(["BTC"], 80).drop("interval").write_parquet(path)
    result = cripto("evaluate", "--candles", path)
    assert result.code == 2
    assert "was trained on all of the" in result.err


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "the file is empty"), (b"\0\1\2", "neither text nor"), (b"a,b\n1,2\n", "")]
)
def test_file_that_is_none_is_refused(
    cripto: Command, trained: str, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    result = cripto("evaluate", "--candles", path)
    assert result.code == 2
    assert reason in result.err


def test_candles_of_another_interval_are_refused(cripto: Command, trained: str, tmp_path: Path) -> None:
    path = tmp_path / "hourly.parquet"
    random_walk(["BTC"], 200, HOURLY).drop("interval").write_parquet(path)
    result = cripto("evaluate", "--candles", path)
    assert result.code == 2
    assert "candles of 1h; the release is of 1d" in result.err
    asked = cripto("evaluate", "--release", RELEASE, "--interval", "1h")
    assert asked.code == 2
    assert "is of 1d candles, not 1h" in asked.err


def test_release_that_is_not_there_and_none_at_all_have_their_codes(cripto: Command, trained: str) -> None:
    assert cripto("evaluate", "--release", "20200101-0000").code == 2
    assert cripto("evaluate", "--release", "yesterday").code == 2


def test_no_release_says_to_try_later(cripto: Command, store: str) -> None:
    assert cripto("evaluate").code == 75


def test_release_without_word_of_what_it_saw_is_refused(cripto: Command, filled: str) -> None:
    result = cripto("evaluate")
    assert result.code == 2
    assert "does not say on which candles it was trained" in result.err


def test_a_pin_is_of_the_default_interval_and_no_other(
    cripto: Command, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_RELEASE", RELEASE)
    result = cripto("evaluate", "--interval", "1h")
    assert result.code != 0
    assert "pinned" not in result.err
    assert "no release" in result.err
