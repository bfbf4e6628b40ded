"""What starts, hears, replaces and ends the process that fetches, with small processes in its place."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from cripto.cli.gathering import Fetched, Gathering
from cripto.errors import InvalidSettings
from tests.integration.live import until

SAY = """
import json, os, signal, sys, time
def say(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)
open(os.environ["PIDS"], "a").write(f"{os.getpid()}\\n")
"""


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each process writes its number."""
    path = tmp_path / "pids"
    path.touch()
    monkeypatch.setenv("PIDS", str(path))
    return path


def gathering(code: str, **options: object) -> Gathering:
    settings = {"anyway": False, "pause": lambda failures: 0.01, **options}
    return Gathering(command=[sys.executable, "-c", SAY + code], **settings)  # type: ignore[arg-type]


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def quiet(done: int, of: int, candles: int) -> None:
    pass


def test_what_it_says_is_heard_and_it_ends_with_the_block(pids: Path) -> None:
    heard: list[tuple[int, int, int]] = []
    code = """
say("tried", failures={"binance": None, "kraken": "no answer"})
for done in range(3):
    say("progress", done=done, series=3, candles=done * 10)
    time.sleep(0.05)
say("fetched", candles=20, series=3, failed=1, reason="so it is")
time.sleep(60)
"""
    with gathering(code) as running:
        assert running.tried() == {"binance": None, "kraken": "no answer"}
        assert running.fetched(lambda *step: heard.append(step)) == Fetched(20, 3, 1, "so it is")
        (pid,) = started(pids)
        assert alive(pid)
    assert heard
    assert heard == sorted(heard)
    assert not alive(pid)


def test_one_that_dies_is_started_again(pids: Path) -> None:
    code = """
if len(open(os.environ["PIDS"]).readlines()) < 3:
    os.kill(os.getpid(), signal.SIGKILL)
say("tried", failures={"binance": None})
say("fetched", candles=0, series=3, failed=0, reason=None)
time.sleep(60)
"""
    pauses: list[int] = []

    def paused(failures: int) -> float:
        pauses.append(failures)
        return 0.01

    with gathering(code, pause=paused) as running:
        until(lambda: len(started(pids)) == 3)
        assert running.fetched(quiet).series == 3
    assert pauses == [1, 2]


def test_one_that_dies_each_time_is_not_waited_for(pids: Path) -> None:
    with gathering("raise SystemExit(70)") as running:
        assert "its log says why" in str(running.tried())
        assert "its log says why" in str(running.fetched(quiet).reason)
        # but it is tried again, for as long as we live
        until(lambda: len(started(pids)) > 4)


@pytest.mark.parametrize("code", [2, 3])
def test_one_that_cannot_work_as_configured_is_not_started_again(pids: Path, code: int) -> None:
    with (
        gathering(f"raise SystemExit({code})") as running,
        pytest.raises(InvalidSettings, match="CRIPTO_EXCHANGES"),
    ):
        running.tried()
    assert len(started(pids)) == 1


def test_one_that_ends_by_itself_is_over(pids: Path) -> None:
    heard: list[Mapping[str, str | None]] = []
    with gathering('say("tried", failures={"binance": "no"})', tried=heard.append) as running:
        assert running.tried() == {"binance": "no"}
        assert running.fetched(quiet).series == 0
    assert (heard, len(started(pids))) == ([{"binance": "no"}], 1)


def test_what_is_no_message_is_passed_over(pids: Path) -> None:
    code = """
for line in ("hello", "[]", "{}", "\\xff", '{"event": "later"}'):
    print(line, flush=True)
say("tried", failures={"binance": None})
time.sleep(60)
"""
    with gathering(code) as running:
        assert running.tried() == {"binance": None}


def test_one_that_cannot_be_started_is_not_waited_for(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with Gathering(anyway=False, command=[nowhere], pause=lambda failures: 0.01) as running:
        assert "its log says why" in str(running.fetched(quiet).reason)


def test_the_longest_pause_is_a_minute() -> None:
    from cripto.cli.gathering import _pause

    assert [_pause(failures) for failures in (1, 2, 3, 7, 50)] == [1, 2, 4, 60, 60]


def test_it_ends_when_whoever_started_it_is_killed(pids: Path, tmp_path: Path) -> None:
    """By the end of its standard input alone, as where the kernel knows no other way."""
    child = tmp_path / "child.py"
    lifeline = "from cripto.cli.lifeline import end_with_stdin\nend_with_stdin()\n"
    child.write_text(SAY + lifeline + "say('tried', failures={})\ntime.sleep(60)")
    code = f"""
import sys
from cripto.cli.gathering import Gathering
with Gathering(anyway=False, command=[sys.executable, {str(child)!r}]) as running:
    running.tried()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    parent = subprocess.run([sys.executable, "-c", SAY + code], check=False)
    assert parent.returncode == -9
    _, pid = started(pids)
    until(lambda: not alive(pid))
