"""The command line as a user types it, in this process so that it is quick; and a store to type it at."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cripto.cli.app import run
from cripto.domain.clock import FixedClock
from cripto.features import default_spec
from cripto.market.lake import open_lake
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.releases import publish_toy_release

CREATED = datetime(2025, 7, 29, 21, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def cripto(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run ``cripto ARGS`` and return its exit code and what it printed."""

    def command(*args: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cripto", *map(str, args)])
        capsys.readouterr()
        code: int | str | None = 0
        try:
            run()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        assert isinstance(code, int) or code is None
        return Outcome(code or 0, captured.out, captured.err)

    return command


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store in a folder, and the setting that names it; its URL."""
    url = (tmp_path / "store").as_uri()
    monkeypatch.setenv("CRIPTO_STORE", url)
    return url


@pytest.fixture
def filled(store: str) -> str:
    """A store with two assets' candles and one small release, promoted; its URL."""
    open_lake(store).upsert(random_walk(["BTC", "ETH"], 120))
    publish_toy_release(open_store(store), spec=default_spec(), version="20250729-2130", clock=FixedClock(CREATED))
    return store


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Commands that log set the process up for it."""
    names = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "botocore", "boto3", "urllib3", "asyncio")
    before = [(logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in names]
    handlers = [logger.handlers[:] for logger, _ in before]
    yield
    for (logger, state), kept in zip(before, handlers, strict=True):
        logger.__dict__.update(state)
        logger.handlers[:] = kept
        logger.manager._clear_cache()  # type: ignore[attr-defined]
