import pytest

from cripto.serving.negotiation import preferred_media, wants_gzip

JSON, LINES = "application/json", "application/x-ndjson"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (LINES, LINES),
        ("Application/X-NDJSON", LINES),
        (f"{LINES}, {JSON}", JSON),
        (f"{LINES};q=0.9, {JSON};q=0.8", LINES),
        (f"{LINES};q=0.8, {JSON};q=0.9", JSON),
        (f"{LINES} ; Q = 0.8 , {JSON};q=0.75", LINES),
        (f"{LINES}, */*", LINES),
        (f"{LINES};q=0.5, */*", JSON),
        (f"{LINES};q=0.5, application/*;q=0.4, */*", LINES),
        (f"{JSON};q=0, */*", LINES),
        (f"{JSON};q=0.0, {LINES};q=0.001", LINES),
        (f"{LINES};q=0, */*", JSON),
        (f"{LINES};q=0", JSON),
        (f"{LINES};q=0, {JSON};q=0", JSON),
        ("text/html", JSON),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", JSON),
        (f"{LINES};charset=utf-8;q=0.9, {JSON};q=0.8", LINES),
        (f'text/plain;a="x, {LINES};q=1", {JSON};q=0.5', JSON),
        (f'{LINES};a="\\";q=0, ";q=0.9, {JSON};q=0.5', LINES),
        (f"{LINES};q=nan, {JSON};q=0.1", JSON),
        (f"{LINES};q=2, {JSON};q=0.1", JSON),
        (f"{LINES};q=-1, {JSON};q=0.1", JSON),
        (f"{LINES};q=, {JSON};q=0.1", JSON),
        (f",,;,;q=1, {LINES}", LINES),
    ],
)
def test_the_best_liked_type_is_given(accept: str | None, expected: str) -> None:
    assert preferred_media(accept, (JSON, LINES)) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, gzip;q=0.2", True),
        ("deflate, br", False),
        ("identity", False),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("gzip; q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0.5, *;q=1", False),
        ("gzip;q=1, *;q=0.5", True),
        ("identity;q=0", False),
        ("gzip;q=high", False),
        ("gzipped", False),
        (";gzip", False),
        ("gzip;;q=0", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it_and_likes_it_no_less(header: str | None, expected: bool) -> None:
    assert wants_gzip(header) is expected


@pytest.mark.parametrize("header", ['"' * 60_000, "a;" * 30_000, '\\"' * 30_000, '"\\' * 30_001, "," * 60_000])
def test_no_header_takes_long_to_read(header: str) -> None:
    # each of these ends in a pattern that looks at every character at most once; pytest's own limit is the guard
    assert preferred_media(header, (JSON, LINES)) == JSON
    assert not wants_gzip(header)
