"""Release versions: UTC minutes, ordered as time."""

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cripto.errors import InvalidInput

__all__ = ["ReleaseVersion", "next_version"]

_MINUTE, _SECOND = "%Y%m%d-%H%M", "%Y%m%d-%H%M%S"


@dataclass(frozen=True, order=True, slots=True)
class ReleaseVersion:
    """``YYYYMMDD-HHMM``, or ``YYYYMMDD-HHMMSS`` where the minute was taken."""

    time: datetime
    text: str = field(compare=True)

    @classmethod
    def parse(cls, text: str) -> "ReleaseVersion":
        """Read a version; raise `InvalidInput` if it is not one."""
        if text.isascii() and text.replace("-", "").isdigit():
            for form, length in ((_MINUTE, 13), (_SECOND, 15)):
                if len(text) == length:
                    try:
                        return cls(datetime.strptime(text, form).replace(tzinfo=UTC), text)
                    except ValueError:
                        break
        raise InvalidInput(f"{text!r} is not a release version: YYYYMMDD-HHMM")

    def __str__(self) -> str:
        return self.text


def next_version(now: datetime, taken: Container[str]) -> ReleaseVersion:
    """The version of a release made at ``now`` (UTC): its minute, or else the first free second from it on."""
    minute = now.astimezone(UTC).strftime(_MINUTE)
    if minute not in taken:
        return ReleaseVersion.parse(minute)
    time = now.astimezone(UTC)
    while time.strftime(_SECOND) in taken:
        time += timedelta(seconds=1)
    return ReleaseVersion.parse(time.strftime(_SECOND))
