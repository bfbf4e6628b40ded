"""Files that are broken in ways people meet: each is told row by row or refused, and none ends in a crash."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cripto.errors import InvalidInput
from cripto.market._files import read_candle_file
from tests.doubles.import_desk import Desk

HEADER = "symbol,time,open,high,low,close,volume"
GOOD = ["BTC,2024-01-02,1,2,1,2,3", "BTC,2024-01-03,1,2,1,2,3"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_quote_within_a_cell_costs_its_own_lines_and_no_other(desk: Desk) -> None:
    report = desk.text(HEADER, '"BT', 'C",2024-01-01,1,2,1,2,3', *GOOD)
    assert report.accepted == 2
    assert [row["row"] for row in report.to_json()["examples"]] == [2, 3]
    assert dict(report.rules) == {"unreadable": 2}


def test_a_quoted_cell_may_hold_a_delimiter_and_a_doubled_quote(desk: Desk) -> None:
    report = desk.text(HEADER + ",source", *(f'{line},"a, ""b"""' for line in GOOD))
    assert (report.accepted, report.quarantined) == (2, 0)
    assert desk.lake.read("1d")["source"].unique().to_list() == ['a, "b"']


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("BTC;2024-01-01;1,5;2,5;1,0;2,0;3", "not_a_number"),
        ("BTC;31/01/2024;1;2;1;2;3", "bad_time"),
        ("BTC;2024-01-01;1;2;1;2;3;", "unreadable"),
    ],
    ids=["decimal comma", "day first", "a field too many"],
)
def test_where_no_row_can_be_read_each_is_told_with_its_rule(desk: Desk, row: str, rule: str) -> None:
    report = desk.text(HEADER.replace(",", ";"), row, row)
    assert (report.accepted, report.quarantined, report.interval) == (0, 2, None)
    assert set(report.rules) == {rule}
    assert desk.lake.version() is None


def test_a_reason_that_follows_from_unreadable_rows_names_the_first(desk: Desk) -> None:
    with pytest.raises(
        InvalidInput, match=r"interval cannot be inferred.*1 rows cannot be read, first row 3: bad_time"
    ):
        desk.text(HEADER, GOOD[0], "BTC,yesterday,1,2,1,2,3")


def test_what_cannot_be_read_reaches_no_terminal_as_it_is(desk: Desk) -> None:
    report = desk.text(HEADER, "\x1b[31mBTC")
    assert "\x1b" not in report.quarantine["detail"][0]
    with pytest.raises(InvalidInput) as caught:
        desk.text(HEADER, GOOD[0], "\x1b[31mBTC")
    assert "unreadable" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_lines_that_end_in_cr_alone_are_refused_with_the_remedy(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "mac.csv"
    path.write_bytes("\r".join([HEADER, *GOOD]).encode())
    with pytest.raises(InvalidInput, match="LF or CRLF"):
        read_candle_file(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40), st.sampled_from([b'"', b",", b"\n", b"\r\n", b"BTC,2024-01-01,1,2,1,2,3"])
        )
    )
)
@example([b'"BT\nC",2024-01-01,1,2,1,2,3'])
def test_no_bytes_at_all_end_in_anything_but_rows_or_a_refusal(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(HEADER.encode() + b"\n" + b"".join(pieces))
    try:
        contents = read_candle_file(path)
    except InvalidInput:
        return
    assert contents.rows >= contents.candles.height
