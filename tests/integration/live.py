"""A real server on a real port, in a thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

__all__ = ["live", "until"]


@contextmanager
def live(app: FastAPI) -> Iterator[str]:
    """Serve ``app`` on a free port of 127.0.0.1 and give its URL; stop it on leaving, and wait for that."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="live server")
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(120)
    assert not thread.is_alive(), "the server did not stop"


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
