import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from cripto.serving.tracing import Allowance, TracedFront


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_allowance_is_used_up_and_comes_back_with_time() -> None:
    time = Time()
    allowance = Allowance(10, time)
    assert [allowance.take() for _ in range(12)] == [True] * 10 + [False] * 2
    time.now += 0.25
    assert [allowance.take() for _ in range(4)] == [True, True, False, False]
    time.now += 3600
    assert sum(allowance.take() for _ in range(1000)) == 10


class Spy:
    """Traces every request whose parent is in ``wanted``."""

    def __init__(self, *wanted: bytes | None) -> None:
        self.wanted = wanted
        self.asked: list[bytes | None] = []
        self.open = 0

    def request(self, traceparent: bytes | None) -> AbstractContextManager[None] | None:
        self.asked.append(traceparent)
        return self.entered() if traceparent in self.wanted else None

    @contextmanager
    def entered(self) -> Iterator[None]:
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    def answered(self, request_id: str, method: str, route: str, status: int) -> str | None:
        raise AssertionError("not asked by the front")

    def renewal(self, interval: str) -> AbstractContextManager[None]:
        raise AssertionError("not asked by the front")


def passed(spy: Spy, *headers: tuple[bytes, bytes], kind: str = "http", fault: Exception | None = None) -> int:
    """How many requests were being traced while the application behind was at work."""
    seen: list[int] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        seen.append(spy.open)
        if fault is not None:
            raise fault

    async def nothing(*_: Any) -> Any: ...

    asyncio.run(TracedFront(behind, spy)({"type": kind, "headers": list(headers)}, nothing, nothing))
    return seen[0]


def test_a_request_that_is_to_be_traced_is_while_it_is_served() -> None:
    spy = Spy(b"wanted")
    assert passed(spy, (b"host", b"x"), (b"traceparent", b"wanted")) == 1
    assert passed(spy, (b"traceparent", b"another")) == 0
    assert passed(spy) == 0
    with pytest.raises(ValueError, match="fault"):
        passed(spy, (b"traceparent", b"wanted"), fault=ValueError("fault"))
    assert (spy.open, spy.asked) == (0, [b"wanted", b"another", None, b"wanted"])


def test_two_parents_are_none_and_what_is_not_http_is_not_asked_about() -> None:
    spy = Spy(b"wanted", None)
    assert passed(spy, (b"traceparent", b"wanted"), (b"traceparent", b"wanted")) == 1
    assert spy.asked == [None]
    assert passed(spy, kind="lifespan") == 0
    assert spy.asked == [None]
