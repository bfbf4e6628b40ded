"""Constant load on a server, and a check that every answer is wholly of one release."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

__all__ = ["Load", "constant_load", "is_whole"]


@dataclass
class Load:
    """What came of it: how many answers of each status (0: none came), and each different body once."""

    statuses: dict[int, int] = field(default_factory=dict)
    bodies: set[bytes] = field(default_factory=set)

    @property
    def answers(self) -> int:
        return sum(self.statuses.values())

    @property
    def torn(self) -> list[bytes]:
        """Bodies that are not wholly of one release."""
        return [body for body in self.bodies if not is_whole(body)]


def is_whole(body: bytes) -> bool:
    """Whether the models of an answer are those of its release, by their versions and by their numbers.

    Releases under load are made of `constant`: every model's number tells the version it came from.
    """
    answer = json.loads(body)
    release, close = answer["release"], answer["candle"]["preco"]
    numbers = []
    for model in answer["modelos"].values():
        if model["versao"] != release:
            return False
        share = model["predicao"] / close - 1 if model["tipo"] == "regressor" else model["probabilidade"]
        numbers.append(round(share, 6))
    return numbers == [round(constant(release), 6)] * len(numbers)


def constant(release: str) -> float:
    """The simple return, and the probability, that every model of a release under load gives."""
    return 0.1 + int(release[-6:]) % 1000 / 10_000


@contextmanager
def constant_load(url: str, path: str, threads: int = 4) -> Iterator[Load]:
    """Ask for ``path`` from several threads, each as fast as it is answered, until the block is left."""
    load, stopping, lock = Load(), threading.Event(), threading.Lock()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            while not stopping.is_set():
                try:
                    response = client.get(path)
                    status, body = response.status_code, response.content
                except httpx.HTTPError:
                    status, body = 0, b""
                with lock:
                    load.statuses[status] = load.statuses.get(status, 0) + 1
                    if status == 200:
                        load.bodies.add(body)

    askers = [threading.Thread(target=ask) for _ in range(threads)]
    for asker in askers:
        asker.start()
    try:
        yield load
    finally:
        stopping.set()
        for asker in askers:
            asker.join(120)
