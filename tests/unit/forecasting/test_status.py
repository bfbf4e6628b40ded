from datetime import timedelta

import polars as pl

from cripto.domain.candle import SAMPLE_SOURCE
from cripto.forecasting.status import candle_state
from cripto.forecasting.windows import read_windows
from tests.doubles.candles import random_walk
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, candles


def test_a_sample_too_short_for_a_window_is_a_sample_and_never_behind() -> None:
    windows = read_windows(candles("NEW", count=3, source=SAMPLE_SOURCE), DAILY, lookback=10)
    state = candle_state(DAILY, windows, LAST_CLOSE + 9 * DAILY.step)
    assert (state.assets, state.sample, state.behind, state.stale) == (1, 1, 0, False)


def test_what_has_no_window_is_behind_like_any_other() -> None:
    windows = read_windows(candles("NEW", count=3), DAILY, lookback=10)
    state = candle_state(DAILY, windows, LAST_CLOSE + DAILY.step + timedelta(hours=3))
    assert (state.assets, state.sample, state.behind, state.stale) == (1, 0, 1, True)


def test_a_candle_of_a_clock_that_was_ahead_hides_no_staleness() -> None:
    early = random_walk(["ETH"], 3, DAILY, LAST_CLOSE + 9999 * DAILY.step)
    held = pl.concat([candles("BTC", count=3), early])
    now = LAST_CLOSE + DAILY.step + timedelta(hours=3)
    state = candle_state(DAILY, read_windows(held, DAILY, lookback=10), now)
    assert (state.newest_close, state.newest_age, state.stale) == (LAST_CLOSE, 27 * 3600, True)
