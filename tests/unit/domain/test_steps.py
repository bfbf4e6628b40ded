from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from threading import Thread

import pytest

from cripto.domain.steps import Fact, step, watched, watcher


class Notes:
    """Writes down what it sees."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @contextmanager
    def step(self, name: str, facts: Mapping[str, Fact]) -> Iterator[None]:
        self.lines.append(f"{name} {dict(facts)}")
        try:
            yield
        finally:
            self.lines.append(f"end of {name}")


def test_a_step_is_told_to_who_watches_with_its_facts() -> None:
    notes = Notes()
    with watched(notes), step("a", assets=2), step("b"):
        pass
    assert notes.lines == ["a {'assets': 2}", "b {}", "end of b", "end of a"]


def test_nobody_watches_unless_somebody_was_asked_to_and_not_afterwards() -> None:
    notes = Notes()
    with step("a"):
        assert watcher() is None
    with pytest.raises(ValueError, match="fault"), watched(notes):
        raise ValueError("fault")
    with step("b"):
        assert watcher() is None
    assert notes.lines == []


def test_what_is_within_can_be_hidden() -> None:
    notes = Notes()
    with watched(notes), step("a"), watched(None), step("b"):
        pass
    assert notes.lines == ["a {}", "end of a"]


def test_a_thread_is_watched_only_where_it_takes_the_context_along() -> None:
    notes = Notes()

    def work(name: str) -> None:
        with step(name):
            pass

    with watched(notes):
        for thread in (
            Thread(target=work, args=["alone"]),
            Thread(target=copy_context().run, args=(work, "along")),
        ):
            thread.start()
            thread.join()
    assert notes.lines == ["along {}", "end of along"]
