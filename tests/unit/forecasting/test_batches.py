from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cripto.errors import InsufficientHistory, ModelRefused, NoRelease, StorageUnavailable, UnknownAsset
from cripto.forecasting import Answer, Board, read_windows
from tests.unit.forecasting.toys import (
    DAILY,
    LAST_CLOSE,
    SPEC,
    FailingModel,
    House,
    SlowModel,
    ToyModel,
    candles,
    draft,
    toy_release,
)

NOW = LAST_CLOSE + timedelta(hours=1)


def board(*models: ToyModel) -> Board:
    return Board(toy_release(*models), read_windows(candles("BTC", "ETH", "LTC"), DAILY, SPEC.lookback))


def bodies(answers: dict[str, Answer]) -> list[bytes]:
    return [answer.body for answer in answers.values()]


class TestBoard:
    def test_answers_of_many_are_those_of_each_in_the_order_asked_for(self) -> None:
        made, other = board(), board()
        answers = made.answers_of(["ETH", "LTC", "BTC", "ETH"], NOW)
        assert list(answers) == ["ETH", "LTC", "BTC"]
        assert answers == {asset: other.answer(asset, NOW) for asset in answers}

    def test_what_is_at_hand_is_not_worked_out_again_and_the_rest_is_in_one_batch(self) -> None:
        model = ToyModel("regressor_rf")
        made = board(model)
        held = made.answer("BTC", NOW)
        answers = made.answers_of(["LTC", "BTC", "ETH"], NOW)
        assert answers["BTC"] is held
        assert model.batches == [1, 2]
        assert [made.held(asset, NOW) for asset in answers] == list(answers.values())

    def test_what_has_no_answer_says_why_and_hinders_no_other(self) -> None:
        answers = board().answers_of(["BTX", "BTC"], NOW)
        assert isinstance(answers["BTX"], UnknownAsset)
        assert isinstance(answers["BTC"], Answer)

    def test_a_model_that_fails_is_raised_and_not_remembered(self) -> None:
        made = board(FailingModel("regressor_rf"))
        with pytest.raises(ModelRefused):
            made.answers_of(["BTC", "ETH"], NOW)
        assert all(isinstance(answer, Answer) for answer in made.answers_of(["BTC", "ETH"], NOW).values())

    def test_batches_that_overlap_work_each_asset_out_once(self) -> None:
        slow = SlowModel("regressor_rf")
        made = board(slow)
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(made.answers_of, ["BTC", "ETH"], NOW)
            assert slow.entered.wait(120)
            second = pool.submit(made.answers_of, ["ETH", "BTC"], NOW)
            slow.release.set()
            assert first.result() == second.result()
        assert slow.batches == [2]

    def test_an_answer_is_told_anew_once_a_candle_has_closed(self) -> None:
        model = ToyModel("regressor_rf")
        made = board(model)
        before = made.answers_of(["BTC", "ETH"], NOW)
        after = made.answers_of(["BTC", "ETH"], NOW + DAILY.step)
        for asset in before:
            assert before[asset] != after[asset]
            assert after[asset] == made.answer(asset, NOW + DAILY.step)
        assert model.batches == [2]


class TestService:
    def test_all_that_are_at_hand_are_given_at_once_and_else_none(self) -> None:
        house = House("BTC", "ETH")
        assert house.service.all_held(["BTC"]) is None
        house.service.load()
        held = house.service.all_held(["ETH", "BTC"])
        assert held is not None
        assert list(held) == ["ETH", "BTC"]
        assert bodies(held) == [house.service.answer(asset).body for asset in held]
        assert house.service.all_held(["BTC", "BTX"]) is None
        house.clock.time += DAILY.step
        assert house.service.all_held(["BTC"]) is None

    def test_answers_are_those_of_each_and_say_why_there_is_none(self) -> None:
        house = House("BTC", "ETH")
        house.lake.upsert(candles("NEW", count=7))
        house.service.load()
        answers = house.service.answers(["NEW", "ETH", "BTX"])
        assert answers["ETH"] == house.service.answer("ETH")
        assert isinstance(answers["NEW"], InsufficientHistory)
        assert isinstance(answers["BTX"], UnknownAsset)

    def test_nothing_loaded_concerns_all(self) -> None:
        house = House("BTC", publish=False)
        for ask in (lambda: house.service.answers(["BTC"]), house.service.windows):
            with pytest.raises(NoRelease):
                ask()
        house.registry.publish(draft())
        house.lake.fault = StorageUnavailable("down")
        house.service.refresh()
        for ask in (lambda: house.service.answers(["BTC"]), house.service.windows):
            with pytest.raises(StorageUnavailable):
                ask()
