"""What exchanges say in their answers, by examples from their own documents."""

from datetime import UTC, datetime

import pytest

from cripto.market._answers import holds_rows, names_rows, refused_by_body, refused_by_status, told_date

NOW = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        {"code": -1003, "msg": "Too much request weight used"},
        {"code": "50011", "msg": "Too Many Requests", "data": []},
        {"retCode": 10006, "retMsg": "Too many visits!", "result": {}},
        {"error": ["EGeneral:Too many requests"]},
        {"error": "invalid_request", "error_description": "no"},
        {"errors": [{"id": "not_found", "message": "Not found"}]},
        {"error_message": "Erro"},
        {"status": 503, "message": "Maintenancing, try again later", "result": None},
        {"success": False, "message": "busy"},
        {"message": "Public rate limit exceeded"},
        {"msg": "We are busy."},
    ],
    ids=str,
)
def test_an_error_with_status_200_is_recognised(body: object) -> None:
    refused = refused_by_body(body)
    assert refused is not None
    assert not refused.denied


@pytest.mark.parametrize(
    "body",
    [
        [],
        [[1, "2"]],
        {"error": [], "result": {"XXBTZUSD": [], "last": 0}},
        {"code": "0", "msg": "", "data": []},
        {"code": "00000", "msg": "success", "data": []},
        {"code": "200000", "data": []},
        {"code": 1000, "message": "OK", "data": {}},
        {"code": 200, "msg": "a word of greeting", "data": []},
        {"retCode": 0, "retMsg": "OK", "result": {"list": []}},
        {"status": "ok", "data": []},
        {"success": True, "result": []},
        {"serverTime": 1},
        {"candles": []},
        {"t": [], "c": []},
    ],
    ids=str,
)
def test_a_good_answer_is_let_pass(body: object) -> None:
    assert refused_by_body(body) is None


@pytest.mark.parametrize(
    ("body", "names", "holds"),
    [
        ([], True, False),
        ({"candles": []}, True, False),
        ({"error": [], "result": {"XXBTZUSD": [], "last": 0}}, True, False),
        ({"error": [], "result": {}}, False, False),
        ({"error": [], "result": {"XXBTZUSD": [[1]]}}, True, True),
        ({}, False, False),
        ({"data": None}, False, False),
        (None, False, False),
        ("text", False, False),
    ],
)
def test_none_is_an_answer_only_where_a_list_says_so(body: object, names: bool, holds: bool) -> None:
    assert (names_rows(body), holds_rows(body)) == (names, holds)


@pytest.mark.parametrize("status", [401, 403, 407, 451])
def test_a_refusal_is_denied(status: int) -> None:
    refused = refused_by_status(status, {}, NOW, is_json=True)
    assert refused is not None
    assert refused.denied


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Wed, 01 Jan 2025 00:02:00 GMT", 120.0),
        ("Tue, 31 Dec 2024 23:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5.2", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_retry_after_is_read_as_seconds_or_date(name: str, text: str, seconds: float | None) -> None:
    refused = refused_by_status(429, {name: text}, NOW, is_json=True)
    assert refused is not None
    assert (refused.denied, refused.retry_after) == (False, seconds)


@pytest.mark.parametrize(
    ("status", "is_json", "refused"), [(200, True, False), (200, False, True), (302, False, True)]
)
def test_a_good_status_needs_json(status: int, is_json: bool, refused: bool) -> None:
    assert (refused_by_status(status, {}, NOW, is_json=is_json) is not None) == refused


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_status_that_may_concern_the_pair_is_left_to_the_body(status: int) -> None:
    assert refused_by_status(status, {}, NOW, is_json=False) is None


def test_the_date_of_an_answer_is_read() -> None:
    assert told_date({"date": "Wed, 01 Jan 2025 00:02:00 GMT"}) == NOW.replace(minute=2)
    assert told_date({"Date": "yesterday"}) is None
    assert told_date({}) is None
