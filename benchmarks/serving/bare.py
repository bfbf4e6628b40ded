"""The ceiling: an ASGI application that sends given headers and bytes, and does nothing else.

``python -m benchmarks.serving.bare PORT`` runs it on uvicorn as ``cripto.cli.serve`` runs the service, but for its
bounds on what a caller may send: those are part of what ours costs;
granian runs `create`. BARE_ANSWER names a JSON file with ``headers`` and ``body``.
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.serving.client import Answer

__all__ = ["Application", "create", "write_answer"]

Application = Callable[[Mapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]

_FROM_THE_SERVER = {"date", "server"}


def write_answer(answer: Answer, path: Path) -> None:
    """Keep for `create` what another server answered, without the headers that an HTTP server adds by itself."""
    headers = [pair for pair in answer.headers if pair[0] not in _FROM_THE_SERVER]
    path.write_text(json.dumps({"headers": headers, "body": answer.body.decode()}))


def create() -> Application:
    """The application, for a server that takes a factory."""
    answer = json.loads(Path(os.environ["BARE_ANSWER"]).read_text())
    headers = [(name.encode(), value.encode()) for name, value in answer["headers"]]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    body = {"type": "http.response.body", "body": answer["body"].encode()}

    async def application(
        scope: Mapping[str, Any], _: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] == "http":
            # copies, as any application makes them: a server may change what it is sent
            await send({**start})
            await send({**body})

    return application


def main(port: int) -> None:
    """Serve it with the settings of ``cripto serve``: uvloop and httptools as installed, no access log."""
    import uvicorn

    from cripto.cli.serve import settle

    settle()
    uvicorn.run(
        create(),
        host="127.0.0.1",
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
