"""The channel: a small object that says which release of an interval is served, and which were before it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cripto.domain.clock import parse_time, rfc3339
from cripto.domain.interval import parse_interval
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput
from cripto.registry.signing import (
    ANYONE,
    Signature,
    SigningKey,
    Trust,
    signatures_from_json,
    signatures_to_json,
)

__all__ = [
    "CHANNEL_PURPOSE",
    "CHANNEL_SCHEMA_VERSION",
    "LARGEST_SEQUENCE",
    "LONGEST_HISTORY",
    "SIGNED_CHANNEL_SCHEMA_VERSION",
    "Channel",
    "channel_key",
]

CHANNEL_SCHEMA_VERSION = 1
SIGNED_CHANNEL_SCHEMA_VERSION = 2
"""A pointer that carries signatures also says its interval, so that it holds under no other key of the store."""
CHANNEL_PURPOSE = "cripto channel"
"""What a pointer's signatures are made for; the data is the pointer as JSON, without them."""
LONGEST_HISTORY = 50
"""How many earlier releases a channel remembers, so that it stays one small object for ever."""
LARGEST_SEQUENCE = (1 << 63) - 1
"""No pointer has a higher sequence: more than promotions reach, and a number that fits 64 bits."""


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
    entity tag it was read under, for the conditional write that moves it. A signed one says its ``interval``;
    ``signed_by`` is the id of the trusted key that was found to have signed it, and no part of the pointer.
    """

    release: ReleaseVersion
    sequence: int
    promoted_at: datetime
    history: tuple[ReleaseVersion, ...] = ()
    etag: str = ""
    interval: str | None = None
    signatures: tuple[Signature, ...] = ()
    signed_by: str | None = field(default=None, compare=False)

    @property
    def previous(self) -> ReleaseVersion | None:
        """The release that `ReleaseRegistry.rollback` would return to."""
        return self.history[-1] if self.history else None

    def moved_to(self, release: ReleaseVersion, now: datetime) -> "Channel":
        """The next pointer, unsigned, after a promotion of ``release`` at ``now`` (UTC).

        Promoting what is promoted keeps the history. Raises `InvalidInput` after the last sequence there is.
        """
        history = self.history if release == self.release else (*self.history, self.release)[-LONGEST_HISTORY:]
        return Channel(release, self._next(), now, history)

    def moved_back(self, now: datetime) -> "Channel":
        """The next pointer, unsigned, after a rollback at ``now`` (UTC); raise `InvalidInput` if there is none."""
        if not self.history:
            raise InvalidInput(f"there is no release before {self.release} to go back to")
        return Channel(self.history[-1], self._next(), now, self.history[:-1])

    def signed(self, interval: str, key: SigningKey) -> "Channel":
        """The same pointer as that of ``interval``, signed by ``key`` alone."""
        named = replace(self, interval=parse_interval(interval).name)
        return replace(named, signatures=(key.sign(CHANNEL_PURPOSE, _to_json(named._value())),))

    def to_bytes(self) -> bytes:
        """The pointer as JSON, keys sorted: schema 2 if it is signed, else schema 1."""
        if not self.signatures:
            return _to_json(replace(self, interval=None)._value())
        return _to_json({**self._value(), "signatures": signatures_to_json(self.signatures)})

    @classmethod
    def from_bytes(
        cls, data: bytes, etag: str, *, interval: str | None = None, trust: Trust = ANYONE
    ) -> "Channel":
        """Read `to_bytes`'s form; raise `InvalidInput` if it is malformed or of an unknown schema version.

        Also if it is signed for another interval than ``interval``, where one is given, or ``trust`` refuses it.
        """
        try:
            value: Mapping[str, Any] = json.loads(data)
            schema = value["schema_version"]
            if schema not in (CHANNEL_SCHEMA_VERSION, SIGNED_CHANNEL_SCHEMA_VERSION):
                raise InvalidInput(
                    f"channel schema {schema!r} is not known here ({CHANNEL_SCHEMA_VERSION} and "
                    f"{SIGNED_CHANNEL_SCHEMA_VERSION} are)"
                )
            sequence = value["sequence"]
            if type(sequence) is not int or not 1 <= sequence <= LARGEST_SEQUENCE:
                raise InvalidInput(f"malformed channel: the sequence is {sequence!r:.40}")
            named: str | None = None
            signatures: tuple[Signature, ...] = ()
            if schema == SIGNED_CHANNEL_SCHEMA_VERSION:
                named, signatures = (
                    parse_interval(value["interval"]).name,
                    signatures_from_json(value["signatures"]),
                )
            # over what was read, fields that are not known here included
            signed = _to_json({name: item for name, item in value.items() if name != "signatures"})
            found = cls(
                ReleaseVersion.parse(value["release"]),
                sequence,
                parse_time(value["promoted_at"]),
                tuple(ReleaseVersion.parse(text) for text in value["history"][-LONGEST_HISTORY:]),
                etag,
                named,
                signatures,
            )
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise InvalidInput(f"malformed channel: {error!r}") from error
        if interval is not None and named not in (None, interval):
            raise InvalidInput(f"it is the pointer of interval {named}, not {interval}")
        return replace(found, signed_by=trust.check(CHANNEL_PURPOSE, signed, signatures))

    def _next(self) -> int:
        if self.sequence == LARGEST_SEQUENCE:
            raise InvalidInput(f"the channel cannot be moved any more: its sequence is {LARGEST_SEQUENCE}")
        return self.sequence + 1

    def _value(self) -> dict[str, Any]:
        value = {
            "schema_version": CHANNEL_SCHEMA_VERSION,
            "release": str(self.release),
            "sequence": self.sequence,
            "promoted_at": rfc3339(self.promoted_at),
            "history": [str(version) for version in self.history],
        }
        if self.interval is not None:
            value |= {"schema_version": SIGNED_CHANNEL_SCHEMA_VERSION, "interval": self.interval}
        return value


def _to_json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
