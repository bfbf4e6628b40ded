import json

from tests.unit.cli.conftest import Command


def test_the_answers_are_the_apis(cripto: Command, filled: str) -> None:
    result = cripto("predict", "btc", "ETH", "--json")
    assert result.code == 0
    answers = json.loads(result.out)["predictions"]
    assert [answer["ativo"] for answer in answers] == ["BTC", "ETH"]
    assert answers[0]["release"] == "20250729-2130"
    assert len(answers[0]["modelos"]) == 5


def test_a_table_has_a_row_an_asset(cripto: Command, filled: str) -> None:
    result = cripto("predict", "BTC")
    assert result.code == 0
    assert "USDT" in result.out
    assert "regressor_gbr" in result.out


def test_an_unknown_asset_is_named_and_the_others_are_printed(cripto: Command, filled: str) -> None:
    result = cripto("predict", "BTC", "BTCC", "../etc")
    assert result.code == 2
    assert "BTC" in result.out
    assert "did you mean BTC" in result.err
    as_json = json.loads(cripto("predict", "BTCC", "--json").out)
    assert as_json["predictions"] == []
    assert as_json["errors"][0]["ativo"] == "BTCC"


def test_no_release_says_to_try_later(cripto: Command, store: str) -> None:
    result = cripto("predict", "BTC")
    assert result.code == 75
    assert "release" in result.err
