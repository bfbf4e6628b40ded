"""Steps of work by name, for whoever watches how long each takes: nobody, unless a trace is being taken.

Who watches belongs to the flow of work (a context variable), so that nothing has to be handed down to a step deep
inside. Where nobody watches, a step costs one look at that variable.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Fact", "Watcher", "step", "watched", "watcher"]

Fact = str | int
"""What is told of a step: a name of ours or a count, never what a caller wrote."""


class Watcher(Protocol):
    """Whoever wants to know of steps."""

    def step(self, name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[None]:
        """Watch a step while it is entered; an error that leaves it is its outcome, and goes on."""
        ...


_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)
_UNWATCHED = nullcontext()


def watcher() -> Watcher | None:
    """Who watches here."""
    return _WATCHER.get()


@contextmanager
def watched(by: Watcher | None) -> Iterator[None]:
    """Have ``by`` watch the steps within, or nobody."""
    token = _WATCHER.set(by)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def step(name: str, **facts: Fact) -> AbstractContextManager[None]:
    """A step of work, to be entered; ``facts`` by their names without the prefix that traces put before them."""
    by = _WATCHER.get()
    return _UNWATCHED if by is None else by.step(name, facts)
