"""The channel: a small object that says which release of an interval is served, and which were before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cripto.domain.clock import parse_time, rfc3339
from cripto.domain.interval import parse_interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

__all__ = ["CHANNEL_SCHEMA_VERSION", "LONGEST_HISTORY", "Channel", "channel_key"]

CHANNEL_SCHEMA_VERSION = 1
LONGEST_HISTORY = 50
"""How many earlier releases a channel remembers, so that it stays one small object for ever."""


def channel_key(interval: str, default_interval: str) -> str:
    """The key of the pointer of ``interval``: the one served by default has the plain name.

    Raises `InvalidInput` for an unknown interval.
    """
    name = parse_interval(interval).name
    return f"models/channels/production{'' if name == default_interval else f'-{name}'}.json"


@dataclass(frozen=True, slots=True)
class Channel:
    """A pointer as it was read: ``sequence`` rises by one with every move, back as well as forward.

    ``history`` holds the releases promoted before this one and not rolled back, oldest first. ``etag`` is the
    entity tag it was read under, for the conditional write that moves it.
    """

    release: ReleaseVersion
    sequence: int
    promoted_at: datetime
    history: tuple[ReleaseVersion, ...] = ()
    etag: str = ""

    @property
    def previous(self) -> ReleaseVersion | None:
        """The release that `ReleaseRegistry.rollback` would return to."""
        return self.history[-1] if self.history else None

    def moved_to(self, release: ReleaseVersion, now: datetime) -> "Channel":
        """The next pointer, after a promotion of ``release`` at ``now`` (UTC)."""
        history = (*self.history, self.release)[-LONGEST_HISTORY:]
        return Channel(release, self.sequence + 1, now, history)

    def moved_back(self, now: datetime) -> "Channel":
        """The next pointer, after a rollback at ``now`` (UTC); raise `InvalidInput` if there is no way back."""
        if not self.history:
            raise InvalidInput(f"there is no release before {self.release} to go back to")
        return Channel(self.history[-1], self.sequence + 1, now, self.history[:-1])

    def to_bytes(self) -> bytes:
        """The pointer as JSON, keys sorted."""
        value = {
            "schema_version": CHANNEL_SCHEMA_VERSION,
            "release": str(self.release),
            "sequence": self.sequence,
            "promoted_at": rfc3339(self.promoted_at),
            "history": [str(version) for version in self.history],
        }
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, etag: str) -> "Channel":
        """Read `to_bytes`'s form; raise `InvalidInput` if it is malformed or of an unknown schema version."""
        try:
            value: Mapping[str, Any] = json.loads(data)
            if value["schema_version"] != CHANNEL_SCHEMA_VERSION:
                raise InvalidInput(
                    f"channel schema {value['schema_version']!r} is not known here ({CHANNEL_SCHEMA_VERSION} is)"
                )
            sequence = value["sequence"]
            if type(sequence) is not int or sequence < 1:
                raise InvalidInput(f"malformed channel: the sequence is {sequence!r}")
            return cls(
                ReleaseVersion.parse(value["release"]),
                sequence,
                parse_time(value["promoted_at"]),
                tuple(ReleaseVersion.parse(text) for text in value["history"][-LONGEST_HISTORY:]),
                etag,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InvalidInput(f"malformed channel: {error!r}") from error
