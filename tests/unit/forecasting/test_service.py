import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import (
    InvalidAsset,
    NoRelease,
    ReleaseRefused,
    StorageDenied,
    StorageUnavailable,
    UnknownAsset,
)
from cripto.features import default_spec, spec_of
from cripto.forecasting.service import PredictionService
from cripto.registry import ReleaseRegistry
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, VERSION, House, candles, draft

LATER = "20250801-0000"


def release_of(body: bytes) -> str:
    return str(json.loads(body)["release"])


def test_a_loaded_service_answers_in_any_case() -> None:
    house = House("BTC")
    house.service.load()
    answer = house.service.answer("btc")
    assert json.loads(answer.body)["ativo"] == "BTC"
    assert house.service.held("BTC") is answer
    assert house.service.status().computations == 1
    assert house.service.ready


def test_nothing_loaded_is_a_reason_to_retry() -> None:
    house = House("BTC", publish=False)
    assert house.service.held("BTC") is None
    with pytest.raises(NoRelease):
        house.service.answer("BTC")
    with pytest.raises(NoRelease):
        house.service.load()
    assert not house.service.ready
    assert [problem.part for problem in house.service.status().problems] == ["release"]


def test_a_release_published_later_is_found_by_a_refresh() -> None:
    house = House("BTC", publish=False)
    house.service.refresh()
    house.registry.publish(draft())
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == VERSION
    status = house.service.status()
    assert status.problems == ()
    assert (status.refreshes, status.release_failures, status.candle_failures) == (2, 0, 0)
    assert status.models == MODEL_NAMES
    assert status.loaded_at == house.clock.now()


def test_a_malformed_asset_is_refused_before_anything_else() -> None:
    with pytest.raises(InvalidAsset):
        House(publish=False).service.answer("../BTC")


def test_a_release_without_any_candle_knows_no_asset() -> None:
    house = House()
    house.service.load()
    with pytest.raises(UnknownAsset):
        house.service.answer("BTC")
    assert house.service.status().candles.assets == 0


def test_candles_that_were_never_read_are_a_reason_to_retry() -> None:
    house = House("BTC")
    house.lake.fault = StorageUnavailable("down")
    house.service.load()
    assert house.service.status().release == VERSION
    with pytest.raises(StorageUnavailable):
        house.service.answer("BTC")
    house.lake.fault = None
    house.service.refresh()
    assert house.service.answer("BTC").body


def test_a_refresh_that_finds_nothing_new_reads_nothing() -> None:
    house = House("BTC")
    snapshot = house.service.load()
    reads = house.lake.reads
    assert house.service.refresh() is snapshot
    assert house.lake.reads == reads


def test_a_new_candle_is_answered_after_a_refresh_and_worked_out_once() -> None:
    house = House("BTC", "ETH")
    house.service.load()
    before = {asset: house.service.answer(asset).body for asset in ("BTC", "ETH")}
    house.clock.time = LAST_CLOSE + DAILY.step + timedelta(hours=1)
    longer = candles("BTC", count=81).with_columns(pl.col("time") + DAILY.step)
    house.lake.upsert(longer.tail(1))
    house.service.refresh()
    after = {asset: json.loads(house.service.answer(asset).body) for asset in ("BTC", "ETH")}
    assert json.loads(before["BTC"])["timestamp"] < after["BTC"]["timestamp"]
    assert after["BTC"]["dados"]["situacao"] == "atual"
    assert after["ETH"]["dados"]["situacao"] == "atrasado"
    assert house.service.status().computations == 3


def test_an_outage_after_loading_leaves_the_last_good_data() -> None:
    house = House("BTC")
    house.service.load()
    house.lake.fault = StorageUnavailable("down")
    house.registry.fault = StorageUnavailable("down")
    house.clock.time += 2 * DAILY.step
    snapshot = house.service.snapshot
    assert house.service.refresh() is snapshot
    assert json.loads(house.service.answer("BTC").body)["dados"]["candles_em_atraso"] == 2
    status = house.service.status()
    assert [problem.part for problem in status.problems] == ["release", "candles"]
    assert (status.release_failures, status.candle_failures) == (1, 1)
    assert status.candles.stale
    house.lake.fault = house.registry.fault = None
    house.service.refresh()
    assert house.service.status().problems == ()


def test_a_registry_that_fails_does_not_keep_new_candles_away() -> None:
    house = House("BTC")
    house.service.load()
    house.registry.fault = StorageDenied("no")
    house.lake.upsert(candles("ETH"))
    house.service.refresh()
    assert house.service.answer("ETH").body


def test_a_new_release_is_swapped_in_by_a_refresh() -> None:
    house = House("BTC")
    old = house.service.load()
    house.service.answer("BTC")
    house.registry.publish(draft(LATER))
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == LATER
    # who kept the old snapshot still has all of it
    assert old.board is not None
    assert release_of(old.board.answer("BTC", house.clock.now()).body) == VERSION
    assert house.service.status().computations == 2


def test_a_release_of_another_interval_is_refused() -> None:
    house = House("BTC", publish=False)
    house.registry.publish(draft(interval="1h"))
    service = PredictionService(house.registry, house.lake, clock=house.clock, interval="1d", pin=VERSION)
    with pytest.raises(ReleaseRefused):
        service.load()


def test_a_registry_that_resolves_another_interval_is_not_believed() -> None:
    class Careless(ReleaseRegistry):
        def resolve(self, interval: str, default_interval: str, pin: str | None = None) -> ReleaseVersion:
            return ReleaseVersion.parse(VERSION)

    house = House("BTC", publish=False)
    house.registry.publish(draft(interval="1h"))
    service = PredictionService(Careless(house.store), house.lake, clock=house.clock, interval="1d")
    with pytest.raises(ReleaseRefused, match="1h candles"):
        service.load()
    assert not service.ready


def test_a_pin_outlasts_newer_releases() -> None:
    house = House("BTC", pin=VERSION)
    house.registry.publish(draft(LATER))
    house.service.load()
    assert release_of(house.service.answer("BTC").body) == VERSION


def test_a_release_with_another_lookback_reads_its_own_candles() -> None:
    house = House("BTC")
    house.service.load()
    few = spec_of(feature for feature in default_spec().features if feature.kind == "return")
    assert few.lookback < 70
    short = spec_of(feature for feature in few.features if feature.params[0] <= 5)
    house.registry.publish(draft(LATER, spec=short))
    house.lake.upsert(candles("NEW", count=short.lookback))
    house.service.refresh()
    held = house.service.snapshot.candles
    assert held is not None
    assert held.lookback == short.lookback
    assert release_of(house.service.answer("NEW").body) == LATER


def test_the_preferred_quote_is_served() -> None:
    house = House("BTC")
    house.lake.upsert(candles("BTC", "BRZ", quote="USD"))
    house.service.load()
    answers = {asset: json.loads(house.service.answer(asset).body)["cotacao"] for asset in ("BTC", "BRZ")}
    assert answers == {"BTC": "USDT", "BRZ": "USD"}


def test_an_unforeseen_fault_of_the_lake_is_survived_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    house = House("BTC")
    house.service.load()
    house.lake.fault = RuntimeError("a bug")
    with caplog.at_level(logging.WARNING):
        house.service.refresh()
        house.service.refresh()
    assert house.service.answer("BTC").body
    # a fault that lasts is one line
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_threads_that_ask_at_once_cause_one_computation() -> None:
    house = House("BTC")
    house.service.load()
    with ThreadPoolExecutor(16) as pool:
        bodies = {answer.body for answer in pool.map(house.service.answer, ["BTC"] * 64)}
    assert len(bodies) == 1
    assert house.service.status().computations == 1


def test_a_batch_says_what_becomes_of_each_asset() -> None:
    house = House("BTC")
    house.service.load()
    outcomes = house.service.forecasts(["btc", "nope"])
    assert list(outcomes) == ["BTC", "NOPE"]
    assert isinstance(outcomes["NOPE"], UnknownAsset)


@pytest.mark.parametrize(("hours", "stale", "behind"), [(1, False, 0), (25, False, 1), (27, True, 1)])
def test_candles_are_stale_when_even_the_freshest_is_overdue(hours: int, stale: bool, behind: int) -> None:
    house = House("BTC")
    house.service.load()
    house.clock.time = LAST_CLOSE + timedelta(hours=hours)
    state = house.service.status().candles
    assert (state.stale, state.behind) == (stale, behind)
    assert state.newest_age == state.oldest_age == hours * 3600


def test_a_clock_behind_the_candles_makes_no_negative_age() -> None:
    house = House("BTC")
    house.clock.time = LAST_CLOSE - timedelta(hours=3)
    house.service.load()
    state = house.service.status().candles
    assert (state.newest_age, state.behind, state.stale) == (0.0, 0, False)
    assert json.loads(house.service.answer("BTC").body)["dados"]["situacao"] == "atual"


def test_a_release_waits_for_candles_it_looks_back_on_and_the_old_one_answers_meanwhile() -> None:
    house = House("BTC")
    house.service.load()
    short = spec_of(feature for feature in default_spec().features if feature.kind == "body")
    house.registry.publish(draft(LATER, spec=short))
    house.lake.fault = StorageUnavailable("down")
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == VERSION
    house.lake.fault = None
    house.service.refresh()
    assert release_of(house.service.answer("BTC").body) == LATER


def test_the_board_is_worked_out_before_the_swap() -> None:
    house = House("BTC", "ETH")
    house.service.load()
    assert house.service.held("BTC") is not None
    house.registry.publish(draft(LATER))
    house.service.refresh()
    held = house.service.held("ETH")
    assert held is not None
    assert release_of(held.body) == LATER
