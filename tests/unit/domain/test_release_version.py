from datetime import UTC, datetime, timedelta, timezone

import pytest

from cripto.domain.release_version import ReleaseVersion, next_version
from cripto.errors import InvalidInput

NOW = datetime(2025, 7, 29, 21, 30, 45, tzinfo=UTC)


def test_versions_are_ordered_as_time_not_as_text() -> None:
    texts = ["20250729-2130", "20250729-213045", "20250729-2131", "20260101-0000"]
    versions = [ReleaseVersion.parse(text) for text in texts]
    assert versions == sorted(versions, key=lambda version: version.time)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20250729",
        "20250729-2",
        "20250729-2560",
        "20251329-2130",
        "20250729_2130",
        "../etc",
        "2025-0729213",
        "٢٠٢٥٠٧٢٩-2130",
        "20250729-21304",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        ReleaseVersion.parse(text)


def test_a_version_is_the_minute_in_utc() -> None:
    assert str(next_version(NOW, ())) == "20250729-2130"
    assert str(next_version(NOW.astimezone(timezone(timedelta(hours=-3))), ())) == "20250729-2130"


def test_the_second_is_written_when_the_minute_is_taken() -> None:
    assert str(next_version(NOW, {"20250729-2130"})) == "20250729-213045"
    assert str(next_version(NOW, {"20250729-2130", "20250729-213045"})) == "20250729-213046"
