import socket

import pytest

from tests.unit.cli.conftest import Command


@pytest.mark.parametrize("command", ["serve", "up"])
def test_a_port_that_is_taken_is_told_before_anything_else_is_done(
    cripto: Command, store: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        result = cripto(command)
    assert result.code == 3
    assert f"127.0.0.1:{port} cannot be listened on" in result.err
    assert "serving" not in result.err
    assert "training" not in result.err
