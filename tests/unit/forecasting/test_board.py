import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest

from cripto.domain.forecast import Forecast
from cripto.errors import HistoryGap, InsufficientHistory, ModelRefused, UnknownAsset
from cripto.forecasting.board import Board
from cripto.forecasting.encode import encode_answer
from cripto.forecasting.release import LoadedRelease
from cripto.forecasting.windows import read_windows
from tests.unit.forecasting.toys import (
    DAILY,
    LAST_CLOSE,
    SPEC,
    FailingModel,
    SlowModel,
    ToyModel,
    candles,
    toy_release,
)

NOW = LAST_CLOSE + timedelta(hours=1)
NEXT = LAST_CLOSE + DAILY.step


def board(
    release: LoadedRelease,
    frame: pl.DataFrame,
    computed: Callable[[int], None] = lambda _: None,
    previous: Board | None = None,
    warm_assets: int = 100,
) -> Board:
    windows = read_windows(frame, DAILY, SPEC.lookback)
    return Board(release, windows, computed=computed, previous=previous, warm_assets=warm_assets)


def test_an_answer_is_worked_out_once_and_then_held() -> None:
    counts: list[int] = []
    made = board(toy_release(), candles("BTC"), counts.append)
    assert made.held("BTC", NOW) is None
    answer = made.answer("BTC", NOW)
    assert made.answer("BTC", NOW) is answer
    assert made.held("BTC", NOW) is answer
    assert counts == [1]


def test_many_who_ask_at_once_wait_for_one_computation() -> None:
    slow = SlowModel("regressor_rf")
    counts: list[int] = []
    made = board(toy_release(slow), candles("BTC"), counts.append)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(made.answer, "BTC", NOW) for _ in range(20)]
        assert slow.entered.wait(120)
        slow.release.set()
        answers = {future.result().body for future in asked}
    assert len(answers) == 1
    assert counts == [1]
    assert slow.batches == [1]


def test_an_answer_expires_at_the_boundary_and_is_told_anew_without_being_worked_out() -> None:
    counts: list[int] = []
    made = board(toy_release(), candles("BTC"), counts.append)
    first = made.answer("BTC", NOW)
    assert first.expires == NEXT
    assert made.held("BTC", NEXT - timedelta(microseconds=1)) is first
    assert made.held("BTC", NEXT) is None
    second = made.answer("BTC", NEXT)
    assert second.expires == NEXT + DAILY.step
    assert second.etag != first.etag
    assert json.loads(second.body)["dados"] == json.loads(first.body)["dados"] | {
        "situacao": "atrasado",
        "candles_em_atraso": 1,
    }
    assert counts == [1]


def test_a_clock_that_ran_ahead_and_was_set_back_leaves_no_late_answer_behind() -> None:
    made = board(toy_release(), candles("BTC"))
    on_time = made.answer("BTC", NOW)
    assert made.answer("BTC", NOW + 400 * DAILY.step).etag != on_time.etag
    assert made.answer("BTC", NOW) == on_time


def test_the_entity_tag_is_that_of_the_bytes() -> None:
    frame = candles("BTC")
    first = board(toy_release(), frame).answer("BTC", NOW)
    assert board(toy_release(), frame).answer("BTC", NOW) == first
    other = board(toy_release(ToyModel("regressor_rf", 0.02)), frame).answer("BTC", NOW)
    assert other.etag != first.etag


def test_a_batch_is_worked_out_at_once_and_says_what_became_of_each() -> None:
    model = ToyModel("regressor_rf")
    frame = pl.concat([candles("BTC", "ETH"), candles("NEW", count=3)])
    made = board(toy_release(model), frame)
    eth = made.answer("ETH", NOW)
    answers = made.answers_of(["ETH", "BTC", "NEW", "BTX", "BTC"], NOW)
    assert list(answers) == ["ETH", "BTC", "NEW", "BTX"]
    assert answers["ETH"] is eth
    assert answers["BTC"] == board(toy_release(), frame).answer("BTC", NOW)
    assert isinstance(answers["NEW"], InsufficientHistory)
    assert isinstance(answers["BTX"], UnknownAsset)
    assert model.batches == [1, 1]


def test_forecasts_are_the_values_that_answers_tell() -> None:
    frame = pl.concat([candles("BTC", "ETH"), candles("NEW", count=3)])
    made = board(toy_release(), frame)
    outcomes = made.forecasts(["ETH", "BTC", "NEW", "BTX", "BTC"], NOW)
    assert list(outcomes) == ["ETH", "BTC", "NEW", "BTX"]
    for asset in ("ETH", "BTC"):
        found = outcomes[asset]
        assert isinstance(found, Forecast)
        assert encode_answer(found) == made.answer(asset, NOW).body
    assert isinstance(outcomes["NEW"], InsufficientHistory)
    assert isinstance(outcomes["BTX"], UnknownAsset)


def test_an_unknown_asset_names_its_neighbours() -> None:
    made = board(toy_release(), candles("BTC", "ETH"))
    with pytest.raises(UnknownAsset) as unknown:
        made.answer("BTX", NOW)
    assert unknown.value.nearest == ("BTC",)


def test_a_flood_of_unknown_assets_is_not_kept() -> None:
    made = board(toy_release(), candles("BTC"))
    for number in range(1500):
        made.forecasts([f"X{number}"], NOW)
    assert len(made._unknown) == 1024


def test_a_warm_board_has_every_answer_at_hand() -> None:
    counts: list[int] = []
    frame = pl.concat([candles("BTC", "ETH"), candles("NEW", count=3)])
    made = board(toy_release(), frame, counts.append)
    without = made.warm(NOW)
    assert list(without) == ["NEW"]
    assert isinstance(without["NEW"], InsufficientHistory)
    for asset in ("BTC", "ETH"):
        assert made.held(asset, NOW) == board(toy_release(), frame).answer(asset, NOW)
        assert made.answers(asset)
    assert not made.answers("NEW")
    assert counts == [2]


def test_only_the_busiest_assets_are_answered_in_advance_and_the_others_on_demand() -> None:
    counts: list[int] = []
    frame = candles("BTC", "ETH", "LTC", "XRP").with_columns(
        pl.col("volume") * pl.col("symbol").replace_strict({"BTC": 1.0, "ETH": 1e9, "LTC": 1e12, "XRP": 1.0})
    )
    made = board(toy_release(), frame, counts.append, warm_assets=2)
    assert made.warm(NOW) == {}
    assert [asset for asset in ("BTC", "ETH", "LTC", "XRP") if made.held(asset, NOW)] == ["ETH", "LTC"]
    answer = made.answer("BTC", NOW)
    assert made.held("BTC", NOW) is answer
    assert counts == [2, 1]


def test_an_asset_that_was_asked_for_may_become_one_of_the_busiest() -> None:
    counts: list[int] = []
    release, frame = toy_release(), candles("BTC", "ETH")
    first = board(release, frame, counts.append, warm_assets=0)
    first.warm(NOW)
    answer = first.answer("BTC", NOW)
    second = board(release, frame, counts.append, first, warm_assets=2)
    assert second.warm(NOW) == {}
    assert second.held("BTC", NOW) == answer
    assert second.held("ETH", NOW) is not None
    assert counts == [1, 1]


def test_no_more_of_what_was_asked_for_is_kept_than_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cripto.forecasting.board._ASKED_KEPT", 2)
    counts: list[int] = []
    made = board(toy_release(), candles("BTC", "ETH", "LTC"), counts.append, warm_assets=0)
    made.warm(NOW)
    for asset in ("BTC", "ETH", "BTC", "LTC"):
        made.answer(asset, NOW)
    assert made.held("ETH", NOW) is None
    assert made.held("BTC", NOW) is not None
    made.answer("ETH", NOW)
    assert counts == [1, 1, 1, 1]


def test_the_answers_of_the_next_interval_are_told_before_it_begins() -> None:
    counts: list[int] = []
    made = board(toy_release(), candles("BTC"), counts.append)
    made.warm(NOW)
    made.keep_told(NEXT - timedelta(seconds=11))
    assert made.held("BTC", NEXT) is None
    made.keep_told(NEXT - timedelta(seconds=10))
    assert made.held("BTC", NEXT) == board(toy_release(), candles("BTC")).answer("BTC", NEXT)
    first = made.held("BTC", NEXT - timedelta(microseconds=1))
    assert first is not None
    assert first.expires == NEXT
    made.keep_told(NEXT)
    assert made.held("BTC", NEXT - timedelta(microseconds=1)) is None
    assert counts == [1]


def test_a_board_that_is_warmed_close_to_a_boundary_tells_both_sides_of_it() -> None:
    made = board(toy_release(), candles("BTC"))
    made.warm(NEXT - timedelta(seconds=1))
    assert made.held("BTC", NEXT - timedelta(seconds=1)) is not None
    assert made.held("BTC", NEXT) is not None


def test_a_clock_that_jumped_is_told_anew() -> None:
    made = board(toy_release(), candles("BTC"))
    made.warm(NOW)
    later = NOW + 5 * DAILY.step
    assert made.held("BTC", later) is None
    made.keep_told(later)
    told = made.held("BTC", later)
    assert told is not None
    assert json.loads(told.body)["dados"]["candles_em_atraso"] == 5


def test_a_warm_board_takes_over_tables_but_for_what_changed() -> None:
    counts: list[int] = []
    release = toy_release()
    first = board(release, candles("BTC", "ETH"), counts.append)
    first.warm(NOW)
    changed = candles("BTC", "ETH").with_columns(
        pl.when(pl.col("symbol") == "ETH").then(pl.col("volume") * 2).otherwise(pl.col("volume")).alias("volume")
    )
    second = board(release, changed, counts.append, first)
    second.warm(NOW)
    assert second.held("BTC", NOW) is first.held("BTC", NOW)
    assert second.held("ETH", NOW) != first.held("ETH", NOW)
    assert counts == [2, 1]


def test_an_asset_that_left_the_candles_is_in_no_table() -> None:
    release = toy_release()
    first = board(release, candles("BTC", "ETH"))
    first.warm(NOW)
    second = board(release, candles("BTC"), previous=first)
    second.warm(NOW)
    assert second.held("ETH", NOW) is None
    with pytest.raises(UnknownAsset):
        second.answer("ETH", NOW)


def test_a_gap_is_told_to_who_asks() -> None:
    frame = candles("BTC")
    made = board(toy_release(), frame.filter(pl.col("time") != frame["time"][-2]))
    with pytest.raises(HistoryGap):
        made.answer("BTC", NOW)


def test_a_failure_is_told_to_all_who_wait_and_not_remembered() -> None:
    class SlowFailure(SlowModel):
        fails = True

        def predict(self, matrix):  # type: ignore[no-untyped-def]
            values = super().predict(matrix)
            if self.fails:
                raise ModelRefused(self.name, "a run failed")
            return values

    model = SlowFailure("regressor_rf")
    made = board(toy_release(model), candles("BTC"))
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(made.answer, "BTC", NOW) for _ in range(5)]
        assert model.entered.wait(120)
        model.release.set()
        for future in asked:
            with pytest.raises(ModelRefused):
                future.result()
    model.fails = False
    assert made.answer("BTC", NOW).body


def test_a_failing_model_is_tried_again() -> None:
    made = board(toy_release(FailingModel("classifier_rf", times=1)), candles("BTC"))
    with pytest.raises(ModelRefused):
        made.answer("BTC", NOW)
    assert made.answer("BTC", NOW).body


def test_a_new_board_takes_over_what_still_holds() -> None:
    counts: list[int] = []
    release = toy_release()
    first = board(release, candles("BTC", "ETH"), counts.append)
    held = first.answer("BTC", NOW)
    first.answer("ETH", NOW)
    changed = candles("BTC", "ETH").with_columns(
        pl.when(pl.col("symbol") == "ETH").then(pl.col("volume") * 2).otherwise(pl.col("volume")).alias("volume")
    )
    second = board(release, changed, counts.append, first)
    assert second.held("BTC", NOW) is held
    assert second.held("ETH", NOW) is None
    assert second.answer("ETH", NOW).body != first.answer("ETH", NOW).body
    assert counts == [1, 1, 1]


def test_equal_candles_from_another_source_are_told_anew() -> None:
    release = toy_release()
    first = board(release, candles("BTC", source="amostra"))
    first.answer("BTC", NOW)
    second = board(release, candles("BTC"), previous=first)
    assert json.loads(second.answer("BTC", NOW).body)["dados"]["situacao"] == "atual"


def test_another_release_takes_over_nothing() -> None:
    first = board(toy_release(), candles("BTC"))
    first.answer("BTC", NOW)
    second = board(toy_release(version="20250730-0000"), candles("BTC"), previous=first)
    assert second.held("BTC", NOW) is None
    assert json.loads(second.answer("BTC", NOW).body)["release"] == "20250730-0000"
