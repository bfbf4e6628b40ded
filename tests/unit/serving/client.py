"""An application called in process, without a server."""

import asyncio
import json
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.types import ASGIApp

from cripto.serving import create_app
from tests.unit.forecasting.toys import House

Headers = dict[str, str] | list[tuple[str, str]]

__all__ = ["Client", "application", "problem"]


def application(house: House, **options: Any) -> FastAPI:
    """The application of a house, its background not running."""
    return create_app(house.service, version="1.2.3", clock=house.clock, **options)


class Client:
    """Blocking requests to an application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def request(self, method: str, path: str, headers: Headers | None = None) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://cripto") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(send())

    def get(self, path: str, headers: Headers | None = None) -> httpx.Response:
        return self.request("GET", path, headers)

    def together(self, path: str, count: int) -> list[httpx.Response]:
        """The same GET, ``count`` times at once."""

        async def send() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://cripto") as client:
                return list(await asyncio.gather(*(client.get(path) for _ in range(count))))

        return asyncio.run(send())


def problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem a response tells, held to RFC 9457 and to the one shape all routes share."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    value: dict[str, Any] = json.loads(response.content)
    assert value["type"] == f"urn:cripto:problema:{slug}"
    assert value["status"] == status
    assert value["title"]
    assert value["detail"]
    assert value["request_id"] == response.headers["x-request-id"]
    assert value["instance"].endswith(value["request_id"])
    assert ("retry-after" in response.headers) == (status == 503)
    return value
