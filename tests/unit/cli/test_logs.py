import json
import logging
import sys
from datetime import UTC, datetime

import pytest

from cripto.cli.logs import JsonLines, configure_logging


def test_a_server_logs_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", readable=False)
    logging.getLogger("cripto.x").warning("%d açaí\nof two lines", 2, extra={"route": "/", "status": 200})
    logging.getLogger("cripto.x").debug("too fine")
    logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[36mup"})
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    at = datetime.fromisoformat(first.pop("timestamp"))
    assert at.tzinfo == UTC
    assert first == {
        "event": "2 açaí\nof two lines",
        "route": "/",
        "status": 200,
        "level": "warning",
        "logger": "cripto.x",
    }
    assert second.keys() == {"event", "level", "logger", "timestamp"}


def test_an_exception_is_one_field_of_its_line_and_an_extra_may_be_anything() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info(), extra={"odd": {1}}
        )
    line = JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["exception"].startswith("Traceback (most recent call last):\n")
    assert found["exception"].endswith("ValueError: no")
    assert found["odd"] == "{1}"


def test_a_terminal_gets_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", readable=True)
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "Started \x1b[36m"})
    said = capsys.readouterr().err
    assert "Started" in said
    assert "color_message" not in said
