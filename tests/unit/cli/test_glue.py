"""A Glue job's arguments, and what they come to."""

import re
from pathlib import Path
from typing import Any

import pytest

from cripto.cli.glue import ARGUMENTS, given, options_of, settings_of
from cripto.errors import InvalidInput
from cripto.settings import Settings

ARGV = [
    "train.py",
    *("--JOB_NAME", "training", "--TempDir", "s3://there/tmp", "--job-bookmark-option", "job-bookmark-disable"),
    *("--store", "s3://criptos-data", "--interval=1h", "--promote", "true", "--seed", "7"),
]


def test_what_is_given_is_asked_for_and_nothing_else() -> None:
    assert given(ARGV) == ["store", "interval", "promote", "seed"]
    assert given(["train.py", "--JOB_NAME", "store"]) == []


def test_arguments_are_settings_by_other_names() -> None:
    found = settings_of({"store": "s3://criptos-data", "quotes": "USDT,BRL", "interval": "1h", "TempDir": "x"})
    assert found == {"CRIPTO_STORE": "s3://criptos-data", "CRIPTO_QUOTE": "USDT,BRL"}


def test_each_setting_that_an_argument_stands_for_exists() -> None:
    known = {Settings.variable(field) for field in Settings.model_fields} | {"AWS_DEFAULT_REGION"}
    assert set(settings_of(dict.fromkeys(ARGUMENTS, "x")).values()) == {"x"}
    assert set(settings_of(dict.fromkeys(ARGUMENTS, "x"))) <= known


def test_no_argument_has_a_name_that_glue_keeps_or_cannot_read() -> None:
    kept = {"JOB_NAME", "JOB_ID", "JOB_RUN_ID", "TempDir", "conf", "debug", "mode", "encryption_type"}
    assert not kept & set(ARGUMENTS)
    assert all(name.replace("_", "").isalpha() for name in ARGUMENTS)


def test_options_are_values() -> None:
    assert options_of({"promote": "true", "seed": "7", "folds": " 3 ", "store": "x"}) == {
        "promote": True,
        "seed": 7,
        "folds": 3,
    }
    assert options_of({"promote": "False", "if_new": "7"}) == {"promote": False, "if_new": 7}
    assert options_of({}) == {}


@pytest.mark.parametrize(
    "arguments", [{"promote": "yes"}, {"promote": ""}, {"seed": "1.5"}, {"seed": "-1"}, {"folds": "five"}]
)
def test_what_is_no_value_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"--{next(iter(arguments))} is"):
        options_of(arguments)


def test_a_key_is_no_argument() -> None:
    with pytest.raises(InvalidInput, match="the path of a file"):
        settings_of({"signing_key": "-----BEGIN PRIVATE KEY-----\n..."})
    assert settings_of({"signing_key": "key.pem"}) == {"CRIPTO_SIGNING_KEY": "key.pem"}


def test_each_argument_is_told_and_none_that_there_is_not() -> None:
    page = (Path(__file__).parents[3] / "docs" / "glue.md").read_text()
    table = page.split("## Arguments")[1].split("##")[0]
    told = {name for row in re.findall(r"^\| (`--.*?) \|", table, re.M) for name in re.findall(r"`--(\w+)`", row)}
    assert told == set(ARGUMENTS)
