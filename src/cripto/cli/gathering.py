"""The process that fetches and follows candles for ``cripto up``: started, listened to, replaced, ended."""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cripto.cli.exits import CALLER, OPERATOR
from cripto.errors import InvalidSettings

__all__ = ["Fetched", "Gathering"]

_LOG = logging.getLogger(__name__)
_KILL_AFTER_SECONDS = 15.0
_LONGEST_PAUSE = 60.0
_LIVED_LONG = 60.0
_FAILURES = 3
_ENDS = "it ends each time, and its log says why"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the first fetch brought: candles that are new or changed, of how many series, and what failed."""

    candles: int
    series: int
    failed: int
    reason: str | None


class Gathering:
    """Runs ``python -m cripto.cli.gatherer``; use ``with``. It is ended on leaving, and ends itself if we die.

    ``anyway``: it follows although no exchange answers now. One that dies is started again, after a pause that
    doubles from a second to a minute; not one that ends by itself or says that the installation must be changed.
    ``tried``, if given, hears why each exchange gave no answer (``None`` where it did), from another thread.
    """

    def __init__(self, *, anyway: bool, tried: Callable[[Mapping[str, str | None]], None] | None = None) -> None:
        self._anyway = anyway
        self._heard_tried = tried
        self._changed = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._stopping = threading.Event()
        self._tried: Mapping[str, str | None] | None = None
        self._fetched: Fetched | None = None
        self._progress: Mapping[str, Any] = {}
        self._failures = 0
        self._heard = 0
        self._code: int | None = None
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
        with self._changed:
            self._changed.wait_for(lambda: self._tried is not None or self._ended())
            if self._code in (CALLER, OPERATOR):
                raise InvalidSettings("exchanges cannot be asked as CRIPTO_EXCHANGES says: see above")
            return {"the exchange client": _ENDS} if self._tried is None else self._tried

    def fetched(self, progress: Callable[[int, int, int], None]) -> Fetched:
        """Wait until the first fetch is over; ``progress`` hears series done, of how many, and candles."""
        heard = 0

        def changed() -> bool:
            return self._fetched is not None or self._ended() or self._heard != heard

        while True:
            with self._changed:
                self._changed.wait_for(changed)
                if self._fetched is not None:
                    return self._fetched
                if self._ended():
                    return Fetched(0, 0, 0, _ENDS)
                heard, told = self._heard, self._progress
            progress(told["done"], told["series"], told["candles"])

    def _ended(self) -> bool:
        return self._code is not None or self._failures >= _FAILURES

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                break
            if code in (0, CALLER, OPERATOR):
                self._tell(_over=f"it ended with code {code}")
                if code:
                    _LOG.error(
                        "candles are followed no more: the process that fetches them ended with code %d", code
                    )
                break
            self._tell(_failures=1 if time.monotonic() - began >= _LIVED_LONG else self._failures + 1)
            pause = min(_LONGEST_PAUSE, 2.0 ** (self._failures - 1))
            _LOG.error(
                "the process that fetches candles ended with code %d and is started again in %.0f s", code, pause
            )
            self._stopping.wait(pause)

    def _run_once(self) -> int:
        """Start it, listen until it ends, and return its code."""
        with self._changed:
            if self._stopping.is_set():
                return 0
            self._process = process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "cripto.cli.gatherer", *(["--anyway"] if self._anyway else [])],
                # nothing is ever written to it: its end is how the process learns of ours
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                # Ctrl+C is for the server, which ends the process when it has drained
                process_group=0,
            )
        with process:
            for line in process.stdout or ():
                self._hear(line)
        return process.returncode

    def _hear(self, line: str) -> None:
        told = json.loads(line)
        match told.pop("event"):
            case "tried":
                self._tell(_tried=told["failures"])
                if self._heard_tried is not None:
                    self._heard_tried(told["failures"])
            case "progress":
                self._tell(_progress=told, _heard=self._heard + 1)
            case "fetched":
                self._tell(_fetched=Fetched(**told))

    def _tell(self, **values: object) -> None:
        with self._changed:
            for name, value in values.items():
                setattr(self, name, value)
            self._changed.notify_all()
