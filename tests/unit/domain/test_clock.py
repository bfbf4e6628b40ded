from datetime import UTC, datetime, timedelta, timezone

import pytest

from cripto.domain.clock import FixedClock, SystemClock, parse_time, rfc3339


def test_times_are_written_in_utc_with_z() -> None:
    brasilia = timezone(timedelta(hours=-3))
    assert rfc3339(datetime(2025, 7, 29, 18, 30, tzinfo=brasilia)) == "2025-07-29T21:30:00Z"


def test_times_are_read_back() -> None:
    time = datetime(2025, 7, 29, 21, 30, tzinfo=UTC)
    assert parse_time(rfc3339(time)) == time


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_time("2025-07-29T21:30:00")


def test_the_system_clock_is_aware_and_the_fixed_one_stands() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
    time = datetime(2020, 1, 1, tzinfo=UTC)
    assert FixedClock(time).now() is time
