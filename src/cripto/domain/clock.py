"""Time as a value that is passed in, never patched."""

from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "FixedClock", "SystemClock", "parse_time", "rfc3339"]


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """The current time, UTC-aware."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time, UTC-aware."""
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands where it was set; the in-memory twin of `SystemClock`."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        """The time it was set to."""
        return self.time


def rfc3339(time: datetime) -> str:
    """Render a time as RFC 3339 in UTC with ``Z``, cut to the second."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time; raise ``ValueError`` if it is malformed or says no zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} says no time zone")
    return time.astimezone(UTC)
