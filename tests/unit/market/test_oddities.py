import math
from datetime import timedelta

import polars as pl
import pytest

from cripto.domain.interval import INTERVALS, Interval
from cripto.market.oddities import ODDITIES, ODDITY_SCHEMA, RUN_RULES, least_run, move_limit, odd_bars, run_flag
from cripto.market.oddities import with_previous as with_previous_of
from cripto.market.suspicion import OPEN_JUMP, Close, close_jump, doubt
from tests.doubles.candles import DAILY, HOURLY, START, random_walk


def bars(
    *rows: tuple[float, float, float, float, float], interval: Interval = DAILY, skip: int = 0
) -> pl.DataFrame:
    """Candles of one series by open, high, low, close and volume; ``skip`` leaves out as many before the last."""
    frame = random_walk(["BTC"], len(rows) + skip, interval)
    frame = pl.concat([frame.head(len(rows) - 1), frame.tail(1)])
    values = pl.DataFrame(rows, schema=["open", "high", "low", "close", "volume"], orient="row")
    return with_previous_of(frame.with_columns(values), interval)


def found(rows: pl.DataFrame, interval: Interval = DAILY) -> list[tuple[str, float]]:
    odd = odd_bars(rows, interval)
    assert odd.schema == ODDITY_SCHEMA
    return [(rule, round(figure, 3)) for rule, figure in odd.select("rule", "figure").iter_rows()]


QUIET = (100.0, 101.0, 99.0, 100.0, 5.0)


def test_limits_double_in_a_day_and_grow_with_the_interval() -> None:
    limits = [move_limit(interval) for interval in INTERVALS.values()]
    assert limits == sorted(limits)
    assert move_limit(HOURLY) == pytest.approx(1.2214, abs=1e-4)
    assert move_limit(DAILY) == pytest.approx(1.995, abs=1e-3)
    assert move_limit(HOURLY, 24) == pytest.approx(move_limit(DAILY))


@pytest.mark.parametrize("interval", INTERVALS.values(), ids=str)
@pytest.mark.parametrize("skip", [0, 1, 23, 999])
@pytest.mark.parametrize("up", [True, False])
def test_what_a_fetch_doubts_a_check_shows(interval: Interval, skip: int, up: bool) -> None:
    """The bounds are two, chosen for two purposes; nothing that is doubted may look ordinary afterwards."""
    wide = 1.001 * close_jump(interval) ** math.sqrt(skip + 1)
    moves = [(1.0, wide)] + ([(1.001 * OPEN_JUMP, 1.0)] if skip == 0 else [])
    for opened, close in moves:
        first, last = (100 * opened, 100 * close) if up else (100 / opened, 100 / close)
        rows = bars(QUIET, (first, max(first, last), min(first, last), last, 5.0), interval=interval, skip=skip)
        bar = rows.row(1, named=True)
        assert doubt(bar, Close(bar["last_time"], bar["last_close"]), interval) is not None
        assert {rule for rule, _ in found(rows, interval)} & {"jump", "break"}


def test_an_ordinary_day_is_not_odd() -> None:
    assert found(bars(QUIET, (100.0, 150.0, 70.0, 145.0, 5.0))) == []


@pytest.mark.parametrize(("close", "odd"), [(198.0, False), (201.0, True), (50.9, False), (49.0, True)])
def test_a_close_far_from_the_one_before_is_a_jump(close: float, odd: bool) -> None:
    rows = bars(QUIET, (100.0, max(100.0, close), min(100.0, close), close, 5.0))
    assert found(rows) == ([("jump", round(close / 100, 3))] if odd else [])


def test_after_a_gap_a_larger_move_is_ordinary() -> None:
    move = (QUIET, (250.0, 250.0, 250.0, 250.0, 5.0))
    assert [rule for rule, _ in found(bars(*move))] == ["jump", "break"]
    assert found(bars(*move, skip=9)) == []  # over ten days; an open is compared with the close just before alone
    assert found(bars(QUIET, (1e7, 1e7, 1e7, 1e7, 5.0), skip=9)) == [("jump", 100_000.0)]


@pytest.mark.parametrize(
    ("high", "low", "figure"), [(300.0, 99.0, 3.0), (101.0, 20.0, 0.2), (300.0, 20.0, 0.2), (400.0, 40.0, 4.0)]
)
def test_a_wick_far_from_the_body_is_a_spike(high: float, low: float, figure: float) -> None:
    assert found(bars(QUIET, (100.0, high, low, 100.0, 5.0))) == [("spike", figure)]


def test_an_open_away_from_the_close_just_before_is_a_break() -> None:
    assert found(bars(QUIET, (104.0, 104.0, 100.0, 100.0, 5.0))) == [("break", 1.04)]
    assert found(bars(QUIET, (102.0, 104.0, 100.0, 100.0, 5.0))) == []


def test_another_series_is_never_compared_with() -> None:
    cheap = random_walk(["AAA"], 3).with_columns(open=1.0, high=1.0, low=1.0, close=1.0)
    dear = random_walk(["BBB"], 3).with_columns(open=1e6, high=1e6, low=1e6, close=1e6)
    assert found(with_previous_of(pl.concat([cheap, dear]), DAILY)) == []


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_price_is_left_to_the_rules(value: float) -> None:
    assert found(bars((value,) * 4 + (1.0,), QUIET, (value,) * 4 + (1.0,))) == []


def flags(rule: str, rows: pl.DataFrame) -> list[bool]:
    return rows.select(run_flag(rule)).to_series().to_list()


def test_only_what_was_traded_stands_still_oddly() -> None:
    same, quiet, other = QUIET, (*QUIET[:4], 0.0), (100.0, 102.0, 99.0, 100.0, 6.0)
    rows = bars(same, same, quiet, quiet, other)
    assert flags("repeated", rows) == [False, True, False, False, False]
    assert flags("stale_close", rows) == [False, True, False, False, True]
    assert flags("no_volume", rows) == [False, False, True, True, False]


def test_a_gap_ends_what_stands_still() -> None:
    rows = bars(QUIET, QUIET, QUIET, skip=2)
    assert flags("repeated", rows) == [False, True, False]


def test_runs_are_odd_by_their_length() -> None:
    minute = INTERVALS["1m"]
    assert [least_run("no_volume", interval) for interval in (minute, INTERVALS["15m"], HOURLY, DAILY)] == [
        60,
        4,
        1,
        1,
    ]
    assert least_run("stale_close", minute) == least_run("stale_close", DAILY) == 12
    assert least_run("repeated", DAILY) == 1
    assert set(RUN_RULES) < set(ODDITIES)


def test_the_candle_before_is_told_apart_in_candles() -> None:
    rows = bars(QUIET, QUIET, skip=4)
    assert rows["apart"].to_list() == [None, 5]
    assert rows["last_time"].to_list() == [None, START]
    assert rows["time"][1] - START == timedelta(days=5)
