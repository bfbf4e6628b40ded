import math
from datetime import UTC, datetime, timedelta

import pytest

from cripto.forecasting import Answer
from cripto.serving.caching import CacheControl, entity_tag, matches

NOW = datetime(2025, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b","a"', True),
        ('W/"b" , W/"a"', True),
        ("*", True),
        (" * ", True),
        ('"*"', False),
        ('"b", *', False),
        ('"b"', False),
        ("a", False),
        ('"A"', False),
        ('w/"b"', False),
        ('"b,c", "a"', True),
        ('"b, "a"', True),
        ('"', False),
        ('""', False),
    ],
)
def test_what_the_caller_has_is_recognised(header: str | None, expected: bool) -> None:
    assert matches(header, '"a"') is expected


def test_a_tag_that_holds_a_comma_is_one_tag() -> None:
    assert matches('"x", "a,b"', '"a,b"')
    assert not matches('"a,b"', '","')
    assert not matches('"x","y"', '","')


def test_an_answer_is_kept_until_it_expires_or_until_the_next_look() -> None:
    control = CacheControl(30)
    rest = b", stale-while-revalidate=30"
    for left, seconds in ((90, 30), (7.9, 7), (-1, 0)):
        answer = Answer(b"", '""', NOW, NOW + timedelta(seconds=left))
        assert control.of(answer, NOW) == b"public, max-age=%d" % seconds + rest


def test_an_answer_is_never_given_stale_for_longer_than_a_minute() -> None:
    assert CacheControl(3600).within(math.inf) == b"public, max-age=3600, stale-while-revalidate=60"


def test_a_tag_tells_parts_and_their_order_apart() -> None:
    tags = {entity_tag(parts) for parts in ([b"a", b"b"], [b"b", b"a"], [b"ab"], [b"a"], [b"a", b"b", b""])}
    assert len(tags) == 5
    for tag in tags:
        assert tag == tag.strip()
        assert tag.startswith('"')
        assert tag.endswith('"')
        assert matches(tag, tag)
