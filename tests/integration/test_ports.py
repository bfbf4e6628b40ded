"""The ports that servers of tests are given."""

from pathlib import Path

import pytest

from tests.doubles import processes


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = processes.free_port()
    monkeypatch.setattr(processes, "_PORTS", [first])
    with pytest.raises(AssertionError, match="every port is taken"):
        processes.free_port()


def test_no_port_is_one_that_the_system_gives_to_a_connection() -> None:
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert processes.free_port() < lowest
