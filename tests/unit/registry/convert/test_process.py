import os
import sys
import time
from pathlib import Path

import pytest

from cripto.registry.convert._process import ChildFailed, Limits, run_child

LIMITS = Limits(seconds=120, answer=1 << 20)


def run(script: str, request: bytes = b"", limits: Limits = LIMITS, **environment: str) -> bytes:
    return run_child([sys.executable, "-I", "-S", "-c", script], request, environment, limits)


def test_a_child_is_given_the_request_and_gives_the_answer() -> None:
    request = os.urandom(300_000)  # more than a pipe holds, both ways at once
    echo = "import sys\nwhile data := sys.stdin.buffer.read(1000): sys.stdout.buffer.write(data)"
    assert run(echo, request) == request


def test_a_child_that_does_not_listen_still_answers() -> None:
    assert run("print('done', end='')", b"x" * 1_000_000) == b"done"


def test_a_child_sees_no_environment_but_the_one_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("CRIPTO_ADMIN_TOKEN", "secret")
    seen = run("import os; print(sorted(os.environ), end='')", GIVEN="yes", LC_CTYPE="C.UTF-8")
    assert seen == b"['GIVEN', 'LC_CTYPE']"


def test_a_child_that_takes_too_long_is_killed() -> None:
    started = time.monotonic()
    with pytest.raises(ChildFailed, match=r"not done within 0\.5 s"):
        run("import time; time.sleep(60)", limits=Limits(seconds=0.5))
    assert time.monotonic() - started < 30


def test_a_child_that_closes_its_ends_and_lingers_is_killed() -> None:
    with pytest.raises(ChildFailed, match="not done within 1 s"):
        run("import os, time; os.close(0); os.close(1); os.close(2); time.sleep(60)", limits=Limits(seconds=1))


def test_a_child_of_the_child_is_killed_too(tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    grandchild = (
        f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(1.5); "
        f"pathlib.Path({str(ended)!r}).touch()"
    )
    script = f"""
import os, pathlib, subprocess, sys, time
null = subprocess.DEVNULL
subprocess.Popen([sys.executable, "-I", "-S", "-c", {grandchild!r}], stdin=null, stdout=null, stderr=null)
while not pathlib.Path({str(started)!r}).exists(): time.sleep(0.01)
"""
    run(script)
    assert started.exists()
    time.sleep(2)
    assert not ended.exists()


def test_a_child_that_answers_without_end_is_killed() -> None:
    with pytest.raises(ChildFailed, match="more than 1048576 bytes"):
        run("import os\nwhile True: os.write(1, b'x' * 65536)")


def test_a_child_that_complains_without_end_is_heard_out_within_bounds() -> None:
    with pytest.raises(ChildFailed, match=r"exit status 3: the end$"):
        run("import sys; sys.stderr.write('y' * 5_000_000 + '\\nthe end\\n'); sys.exit(3)")


def test_a_child_that_crashes_says_how() -> None:
    with pytest.raises(ChildFailed, match="signal 11"):
        run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")


def test_an_answer_before_a_crash_is_no_answer() -> None:
    with pytest.raises(ChildFailed, match="exit status 1"):
        run("import os; os.write(1, b'answer'); os._exit(1)")


def test_a_program_that_is_not_there_is_a_failure() -> None:
    with pytest.raises(ChildFailed, match="could not be started"):
        run_child(["no-such-program-anywhere"], b"", {}, LIMITS)
