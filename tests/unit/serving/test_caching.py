from datetime import UTC, datetime, timedelta

import pytest

from cripto.serving.caching import entity_tag, matches, max_age, public

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
    assert max_age(NOW + timedelta(seconds=90), NOW, 30) == 30
    assert max_age(NOW + timedelta(seconds=7.9), NOW, 30) == 7
    assert max_age(NOW - timedelta(seconds=1), NOW, 30) == 0
    assert public(7) == "public, max-age=7"


def test_a_tag_tells_parts_and_their_order_apart() -> None:
    tags = {entity_tag(parts) for parts in ([b"a", b"b"], [b"b", b"a"], [b"ab"], [b"a"], [b"a", b"b", b""])}
    assert len(tags) == 5
    for tag in tags:
        assert tag == tag.strip()
        assert tag.startswith('"')
        assert tag.endswith('"')
        assert matches(tag, tag)
