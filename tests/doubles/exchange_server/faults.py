"""Ways in which an exchange fails: each makes another answer of a good one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.doubles.exchange_server.dialects import Reply

__all__ = [
    "Fault",
    "cut_short",
    "denied",
    "disguised",
    "dropped",
    "failing",
    "no_json",
    "nothing_said",
    "slow_down",
    "spoilt",
]


@dataclass
class Fault:
    """Befalls the next ``times`` answers about something, all of them where ``about`` is ``None``."""

    change: Callable[[Reply], Reply]
    about: str | None = "candles"
    times: int = 1

    def befall(self, reply: Reply) -> Reply:
        if self.times <= 0 or self.about not in (None, reply.about):
            return reply
        self.times -= 1
        return self.change(reply)


def slow_down(status: int, retry_after: str | None) -> Callable[[Reply], Reply]:
    """Too many requests."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda reply: _with(reply, {"code": -1003, "msg": "Too many requests"}, status, headers)


def failing(status: int) -> Callable[[Reply], Reply]:
    """An outage, told by a page of a gateway."""
    return lambda reply: replace(
        reply, status=status, body=b"<html>Bad Gateway</html>", headers={"Content-Type": "text/html"}
    )


def denied(status: int) -> Callable[[Reply], Reply]:
    """Not from here."""
    return lambda reply: _with(
        reply, {"code": 0, "msg": "Service unavailable from a restricted location"}, status, {}
    )


def disguised(body: object) -> Callable[[Reply], Reply]:
    """Status 200, and a body that says something else."""
    return lambda reply: _with(reply, body, 200, {})


def cut_short(reply: Reply) -> Reply:
    """Half of the body, as if that were all of it."""
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def no_json(reply: Reply) -> Reply:
    """Status 200 and a page of text."""
    return replace(reply, body=b"<html>We are checking your browser</html>", headers={"Content-Type": "text/html"})


def nothing_said(reply: Reply) -> Reply:
    """Status 200 and a body that holds nothing."""
    return replace(reply, body=b"{}")


def spoilt(reply: Reply) -> Reply:
    """Good JSON, in which every second row of candles has lost its content."""
    return replace(reply, body=json.dumps(_spoil(json.loads(reply.body))).encode())


def _spoil(value: object) -> object:
    if isinstance(value, dict):
        return {key: _spoil(item) for key, item in value.items()}
    if isinstance(value, list):
        return [[] if at % 2 else item for at, item in enumerate(value)]
    return value


def dropped(reply: Reply) -> Reply:
    """The connection ends in the middle of the body."""
    return replace(reply, drop=True)


def _with(reply: Reply, body: object, status: int, headers: dict[str, str]) -> Reply:
    kept = {"Content-Type": "application/json", **headers}
    return replace(reply, body=json.dumps(body).encode(), status=status, headers=kept)
