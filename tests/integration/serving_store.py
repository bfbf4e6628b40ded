"""A small store in a folder, and plain requests to a server of it."""

import http.client
import time
from datetime import UTC, datetime
from pathlib import Path

from cripto.domain.clock import FixedClock
from cripto.features import default_spec
from cripto.market.lake import open_lake
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.doubles.releases import publish_toy_release

__all__ = ["ask", "filled_store"]


def filled_store(folder: Path, version: str = "20250729-2130") -> str:
    """The URL of a store with two assets' candles and one small release."""
    url = (folder / "store").as_uri()
    open_lake(url).upsert(random_walk(["BTC", "ETH"], 120))
    clock = FixedClock(datetime(2025, 7, 29, 21, 30, tzinfo=UTC))
    publish_toy_release(open_store(url), spec=default_spec(), version=version, clock=clock)
    return url


def ask(port: int, path: str, *, any_status: bool = False, seconds: float = 180) -> bytes:
    """The body of an answer, on a connection of its own; asked again until it is 200, or any if they all do."""
    deadline = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if any_status or answer.status == 200:
                return body
            told = str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            told = repr(error)
        finally:
            connection.close()
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
