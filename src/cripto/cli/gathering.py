"""The process that fetches and follows candles for ``cripto up``: started, listened to, replaced, ended."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from cripto.cli.exits import CALLER, OPERATOR
from cripto.errors import InvalidSettings

__all__ = ["COMMAND", "Fetched", "Gathering"]

COMMAND = (sys.executable, "-m", "cripto.cli.gatherer")
"""What is run, unless a test runs something else."""

_LOG = logging.getLogger(__name__)
_KILL_AFTER_SECONDS = 15.0
_LONGEST_PAUSE = 60.0
_LIVED_LONG = 60.0
_FAILURES = 3
_NOT_STARTED = 71  # EX_OSERR of sysexits
_ENDS = "it ends each time, and its log says why"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the first fetch brought: candles that are new or changed, of how many series, and what failed."""

    candles: int
    series: int
    failed: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class _State:
    """What was heard of the process; ``code`` is that of one that is not started again."""

    tried: Mapping[str, str | None] | None = None
    progress: tuple[int, int, int] | None = None
    fetched: Fetched | None = None
    failures: int = 0
    code: int | None = None

    @property
    def ended(self) -> bool:
        return self.code is not None or self.failures >= _FAILURES


def _later(told: tuple[int, int, int] | None) -> Callable[[_State], object]:
    """Whether there is more to say of the first fetch than was told."""
    return lambda state: state.fetched is not None or state.ended or state.progress != told


def _pause(failures: int) -> float:
    return min(_LONGEST_PAUSE, 2.0 ** (failures - 1))


class Gathering:
    """Runs ``command``, by default our gatherer; use ``with``. It is ended on leaving, and ends itself if we die.

    ``anyway``: it follows although no exchange answers now. One that dies is started again, after a pause that
    doubles from a second to a minute; not one that ends by itself or says that the installation must be changed.
    ``tried``, if given, hears why each exchange gave no answer (``None`` where it did), from another thread.
    ``pause`` is how many seconds to wait after so many failures in a row.
    """

    def __init__(
        self,
        *,
        anyway: bool,
        tried: Callable[[Mapping[str, str | None]], None] | None = None,
        command: Sequence[str] = COMMAND,
        pause: Callable[[int], float] = _pause,
    ) -> None:
        self._command = [*command, *(["--anyway"] if anyway else [])]
        self._pause = pause
        self._heard_tried = tried
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._state = _State()
        self._thread = threading.Thread(target=self._run, name="gathering", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._changed:
            process = self._process
            if process is not None:
                process.terminate()
        self._thread.join(_KILL_AFTER_SECONDS)
        if process is not None and self._thread.is_alive():
            _LOG.error("process %d did not end in time and is killed", process.pid)
            process.kill()
            self._thread.join()

    def tried(self) -> Mapping[str, str | None]:
        """Wait until the exchanges were tried: why each gave no answer, ``None`` for those that did.

        Raises `InvalidSettings` if the process says that the installation must be changed.
        """
        state = self._wait(lambda state: state.tried is not None or state.ended)
        if state.tried is None and state.code in (CALLER, OPERATOR):
            raise InvalidSettings("exchanges cannot be asked as CRIPTO_EXCHANGES says: see above")
        return {"the exchange client": _ENDS} if state.tried is None else state.tried

    def fetched(self, progress: Callable[[int, int, int], None]) -> Fetched:
        """Wait until the first fetch is over; ``progress`` hears series done, of how many, and candles."""
        told: tuple[int, int, int] | None = None
        while True:
            state = self._wait(_later(told))
            if state.fetched is not None or state.ended:
                return state.fetched or Fetched(0, 0, 0, _ENDS)
            told = state.progress
            if told is not None:
                progress(*told)

    def _wait(self, heard: Callable[[_State], object]) -> _State:
        """The state once something was heard."""
        with self._changed:
            self._changed.wait_for(lambda: heard(self._state))
            return self._state

    def _run(self) -> None:
        try:
            self._keep_running()
        finally:
            # whatever ended this, nobody may wait for it
            self._tell(code=0 if self._state.code is None else self._state.code)

    def _keep_running(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                break
            if code in (0, CALLER, OPERATOR):
                self._tell(code=code)
                if code:
                    _LOG.error("candles are followed no more: what fetches them ended with code %d", code)
                break
            failures = 1 if time.monotonic() - began >= _LIVED_LONG else self._state.failures + 1
            self._tell(failures=failures)
            pause = self._pause(failures)
            _LOG.error(
                "the process that fetches candles ended with code %d and is started again in %.0f s", code, pause
            )
            self._stopping.wait(pause)

    def _run_once(self) -> int:
        """Start it, listen until it ends, and return its code."""
        with self._changed:
            if self._stopping.is_set():
                return 0
            try:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    self._command,
                    # nothing is ever written to it: its end is how the process learns of ours
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    errors="replace",
                    # Ctrl+C is for the server, which ends the process when it has drained
                    process_group=0,
                )
            except OSError as error:
                _LOG.error("the process that fetches candles cannot be started: %s", error)
                return _NOT_STARTED
            self._process = process
        with process:
            for line in process.stdout or ():
                self._hear(line)
        return process.returncode

    def _hear(self, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        event = told.pop("event", None) if isinstance(told, dict) else None
        if event is None:
            _LOG.warning("the process that fetches candles said: %s", line.strip()[:200])
            return
        match event:
            case "tried":
                self._tell(tried=told["failures"])
                if self._heard_tried is not None:
                    self._heard_tried(told["failures"])
            case "progress":
                self._tell(progress=(told["done"], told["series"], told["candles"]))
            case "fetched":
                self._tell(fetched=Fetched(**told))

    def _tell(self, **values: Any) -> None:
        with self._changed:
            self._state = replace(self._state, **values)
            self._changed.notify_all()
