import socket
import subprocess
import sys

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


def test_an_application_is_built_without_pydantics_first_version_and_describes_itself_all_the_same() -> None:
    code = (
        "import sys\n"
        "from cripto.cli.serve import application\n"
        "from cripto.cli.wiring import Installation\n"
        "from cripto.domain.clock import SystemClock\n"
        "from cripto.settings import Settings\n"
        "app = application(Installation(Settings(store='memory://'), SystemClock()))\n"
        "print('pydantic.v1' in sys.modules, '/symbol/{ativo}' in app.openapi()['paths'])\n"
        "import pydantic.v1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
