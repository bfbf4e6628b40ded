import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cripto.domain.clock import FixedClock, rfc3339
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import open_store
from cripto.training.challenge import Challenge
from cripto.training.promotion import outlook
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
        "not_closed": {"candles": 0, "assets": []},
    }


def test_candles_that_have_not_closed_are_told_and_keep_from_nothing(cripto: Command, known: str) -> None:
    open_lake(known).upsert(random_walk(["ETH"], 9, start=START + timedelta(days=99_999)))
    told = json.loads(cripto("train", "--if-new", "4", "--json").out)["new_candles"]
    assert (told["new"], told["not_closed"]) == (3, {"candles": 9, "assets": ["ETH"]})


def test_enough_new_candles_are_trained_on(cripto: Command, known: str) -> None:
    result = cripto("train", "--if-new", "3")
    assert result.code == 3, "it began, and 59 rows are too few"
    assert "at least 200 are needed" in result.err


def test_less_than_one_new_candle_is_the_callers_to_change(cripto: Command, known: str) -> None:
    assert cripto("train", "--if-new", "0").code == 2


@pytest.fixture
def interrupted(store: str) -> str:
    """A store whose newest release was published by a run that was killed before it promoted it."""
    open_lake(store).upsert(random_walk(["BTC"], 120))
    registry = ReleaseRegistry(open_store(store))
    clock = FixedClock(START)
    first = registry.publish(fake_draft("20250728-2130")).release
    standing = registry.promote(first, "1d", clock)
    told = {
        "candles": {"last": rfc3339(START + timedelta(days=116))},
        "promotion": outlook(standing, "1d", True, Challenge(first, False, "not worse than 20250728-2130")),
    }
    registry.publish(replace(fake_draft(), training=told))
    return store


def promoted(store: str) -> str:
    return str(ReleaseRegistry(open_store(store)).resolve("1d", "1d"))


def test_promotion_that_was_interrupted_is_finished_and_said(cripto: Command, interrupted: str) -> None:
    result = cripto("train", "--if-new", "4", "--promote")
    assert result.code == 0, result.err
    said = " ".join(result.out.split())
    assert said.startswith("not trained: 3 candle times closed")
    assert "promoted 20250729-2130, whose run ended before it could: promotion was asked for; not worse" in said
    assert promoted(interrupted) == "20250729-2130"


def test_promotion_that_was_interrupted_is_told_to_programs_once(cripto: Command, interrupted: str) -> None:
    told = json.loads(cripto("train", "--if-new", "4", "--promote", "--json").out)
    assert (told["trained"], told["promoted"]) == (False, "20250729-2130")
    again = json.loads(cripto("train", "--if-new", "4", "--promote", "--json").out)
    assert (again["trained"], again["promoted"]) == (False, None)


def test_promotion_that_was_interrupted_waits_for_being_asked(cripto: Command, interrupted: str) -> None:
    assert json.loads(cripto("train", "--if-new", "4", "--json").out)["promoted"] is None
    assert promoted(interrupted) == "20250728-2130"


def test_glue_finishes_an_interrupted_promotion_too(interrupted: str) -> None:
    from cripto.cli import glue

    glue.run({"if_new": "4", "promote": "true"})
    assert promoted(interrupted) == "20250729-2130"
