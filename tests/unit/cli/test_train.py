import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cripto.domain.clock import rfc3339
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from tests.doubles.candles import START, random_walk
from tests.doubles.releases import fake_draft
from tests.unit.cli.conftest import Command


@pytest.fixture
def known(store: str) -> str:
    """A store whose newest release knew all but the last three of 120 days."""
    open_lake(store).upsert(random_walk(["BTC"], 120))
    told = {"candles": {"last": rfc3339(START + timedelta(days=116))}}
    ReleaseRegistry(open_store(store)).publish(replace(fake_draft(), training=told))
    return store


def test_too_few_new_candles_train_nothing_and_are_no_failure(cripto: Command, known: str) -> None:
    result = cripto("train", "--if-new", "4")
    assert result.code == 0, result.err
    said = " ".join(result.out.split())
    assert said.startswith("not trained: 3 candle times closed since those of release 20250729-2130")
    assert "4 are asked for" in said
    assert len(ReleaseRegistry(open_store(known)).versions()) == 1


def test_too_few_new_candles_are_told_to_programs_too(cripto: Command, known: str) -> None:
    told = json.loads(cripto("train", "--if-new", "4", "--json").out)
    assert told["trained"] is False
    assert told["new_candles"] == {
        "needed": 4,
        "new": 3,
        "newest": "20250729-2130",
        "since": rfc3339(START + timedelta(days=116)),
    }


def test_enough_new_candles_are_trained_on(cripto: Command, known: str) -> None:
    result = cripto("train", "--if-new", "3")
    assert result.code == 3, "it began, and 59 rows are too few"
    assert "at least 200 are needed" in result.err


def test_less_than_one_new_candle_is_the_callers_to_change(cripto: Command, known: str) -> None:
    assert cripto("train", "--if-new", "0").code == 2
