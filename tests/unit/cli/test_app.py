import pytest

from cripto.cli.app import build
from tests.unit.cli.conftest import Command


def test_the_version_is_the_packages(cripto: Command) -> None:
    assert cripto("--version").out.strip() == "1.0.0"


def test_no_command_shows_the_help(cripto: Command) -> None:
    assert "candles" in cripto().err


def test_a_misspelt_option_is_the_callers_fault(cripto: Command) -> None:
    assert cripto("train", "--promot").code == 2


@pytest.mark.parametrize(
    "command", ["up", "train", "predict BTC", "serve", "doctor", "candles check", "models list"]
)
def test_an_unknown_setting_stops_every_command(
    cripto: Command, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_TYPO", "1")
    result = cripto(*command.split())
    assert result.code == 3
    assert "CRIPTO_TYPO is not a setting" in result.err


def test_every_command_explains_itself() -> None:
    app = build()
    assert all(command.callback and command.callback.__doc__ for command in app.registered_commands)
