"""Which series is served for which asset, and what exchanges say of it."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from cripto.errors import InsufficientHistory, OperatorError, RetiredAsset, StorageUnavailable, UnknownAsset
from cripto.market.listings import LISTINGS_KEY, ListingBook, Listings
from cripto.market.source import Pair
from cripto.storage import MemoryStore
from tests.doubles.stores import WatchedStore
from tests.unit.forecasting.disks import service as another
from tests.unit.forecasting.toys import COUNT, DAILY, LAST_CLOSE, SPEC, House, candles

BTC, ETH = Pair("BTC", "USDT"), Pair("ETH", "USDT")


def gone(pair: Pair) -> Pair:
    return Pair(pair.base, pair.quote, active=False)


def told(house: House, asset: str) -> Any:
    return json.loads(house.service.answer(asset).body)


def until(frame: pl.DataFrame, days_before_the_last: int) -> pl.DataFrame:
    return frame.filter(pl.col("time") < LAST_CLOSE - days_before_the_last * DAILY.step)


@pytest.fixture
def house() -> House:
    house = House("BTC", "ETH")
    house.lists(BTC, ETH)
    house.service.load()
    return house


class TestRetired:
    def test_an_asset_no_exchange_trades_has_no_forecast_and_comes_back(self, house: House) -> None:
        before = house.service.answer("ETH")
        house.lists(BTC, gone(ETH))
        house.service.refresh()
        with pytest.raises(RetiredAsset) as caught:
            house.service.answer("ETH")
        error = caught.value
        assert (error.asset, error.quote, error.exchanges) == ("ETH", "USDT", ("binance",))
        assert error.closed == LAST_CLOSE
        assert house.service.held("ETH") is None
        assert house.service.all_held(["BTC", "ETH"]) is None
        assert isinstance(house.service.forecasts(["ETH"])["ETH"], RetiredAsset)
        house.lists(BTC, ETH)
        house.service.refresh()
        assert house.service.answer("ETH").body == before.body

    def test_only_what_changed_is_worked_out_again(self, house: House) -> None:
        computed = house.service.status().computations
        board = house.service.snapshot.board
        house.lists(BTC, gone(ETH))
        house.service.refresh()
        assert house.service.snapshot.board is not board
        assert house.service.status().computations == computed
        house.lists(BTC, ETH)
        house.service.refresh()
        assert house.service.status().computations == computed + 1

    def test_listings_that_mean_the_same_change_nothing(self, house: House) -> None:
        snapshot, reads = house.service.snapshot, house.lake.reads
        house.clock.time += timedelta(minutes=1)
        house.lists(BTC, ETH)
        house.service.refresh()
        assert house.service.snapshot is snapshot
        assert house.lake.reads == reads

    def test_age_alone_retires_nothing(self, house: House) -> None:
        house.clock.time += 400 * DAILY.step
        house.service.refresh()
        assert told(house, "BTC")["dados"]["situacao"] == "atrasado"

    def test_an_asset_still_traded_in_another_quote_is_served_in_that(self, house: House) -> None:
        house.lake.upsert(candles("ETH", quote="USD", source="kraken"))
        house.service.refresh()
        assert told(house, "ETH")["cotacao"] == "USDT"
        house.lists(BTC, gone(ETH))
        house.service.refresh()
        answer = told(house, "ETH")
        assert (answer["cotacao"], answer["dados"]["fonte"]) == ("USD", "kraken")

    def test_a_retired_asset_is_neither_behind_nor_the_stalest(self, house: House) -> None:
        house.lake.upsert(candles("OLD").with_columns(pl.col("time").dt.offset_by("-300d")))
        house.service.refresh()
        assert house.service.status().candles.behind == 1
        house.lists(BTC, ETH, gone(Pair("OLD", "USDT")))
        house.service.refresh()
        state = house.service.status().candles
        assert (state.assets, state.behind, state.oldest_close, state.stale) == (3, 0, LAST_CLOSE, False)

    def test_where_all_are_retired_nothing_is_stale(self) -> None:
        house = House("BTC")
        house.lists(gone(BTC))
        house.service.load()
        state = house.service.status().candles
        assert (state.assets, state.newest_close, state.behind, state.stale) == (1, None, 0, False)

    def test_too_little_history_of_a_retired_asset_is_told_as_retired(self, house: House) -> None:
        house.lake.upsert(candles("NEW", count=7))
        house.lists(BTC, ETH, gone(Pair("NEW", "USDT")))
        house.service.refresh()
        with pytest.raises(RetiredAsset):
            house.service.answer("NEW")


class TestListingsThatFail:
    @pytest.mark.parametrize("data", [b"{", b'{"format": 99, "exchanges": {}}'], ids=["broken", "newer"])
    def test_what_was_known_holds_and_is_called_degraded(self, house: House, data: bytes) -> None:
        house.lists(BTC, gone(ETH))
        house.service.refresh()
        house.store.put(LISTINGS_KEY, data)
        house.lake.upsert(candles("LTC"))
        house.service.refresh()
        assert told(house, "LTC")["ativo"] == "LTC", "candles are taken up all the same"
        with pytest.raises(RetiredAsset):
            house.service.answer("ETH")
        (problem,) = house.service.status().problems
        assert problem.part == "listings"
        assert isinstance(problem.error, OperatorError)
        house.store.delete(LISTINGS_KEY)
        house.lists(BTC, ETH)
        house.service.refresh()
        assert house.service.status().problems == ()
        assert told(house, "ETH")["ativo"] == "ETH"

    def test_a_store_that_does_not_tell_leaves_a_new_server_with_nothing_listed(self) -> None:
        house = House("BTC")
        house.store.put(LISTINGS_KEY, b"{")
        house.service.load()
        assert told(house, "BTC")["ativo"] == "BTC"
        assert [problem.part for problem in house.service.status().problems] == ["listings"]

    def test_a_look_for_nothing_new_is_one_conditional_read(self, house: House) -> None:
        asked: list[tuple[str, str]] = []
        house.service._book = ListingBook(WatchedStore(house.store, lambda *what: asked.append(what)))
        house.service.refresh()
        house.service.refresh()
        assert asked == [("get_if_changed", LISTINGS_KEY)] * 2

    def test_a_server_started_from_disk_knows_what_was_retired(self, house: House) -> None:
        house.lists(BTC, gone(ETH))
        disk = MemoryStore()
        another(house, disk).load()
        down = StorageUnavailable("down")
        house.registry.fault = house.lake.fault = down
        house.store.put(LISTINGS_KEY, b"{")
        started = another(house, disk)
        started.refresh()
        with pytest.raises(RetiredAsset):
            started.answer("ETH")
        house.registry.fault = house.lake.fault = None
        started.refresh()
        with pytest.raises(RetiredAsset):
            started.answer("ETH")

    @pytest.mark.parametrize("data", [None, b"{"], ids=["none", "broken"])
    def test_a_copy_on_disk_that_is_not_whole_is_as_good_as_none(self, house: House, data: bytes | None) -> None:
        disk = MemoryStore()
        another(house, disk).load()
        if data is None:
            disk.delete("listings.json")
        else:
            disk.put("listings.json", data)
        house.registry.fault = house.lake.fault = StorageUnavailable("down")
        started = another(house, disk)
        started.refresh()
        assert started.answer("ETH").body == house.service.answer("ETH").body
        held = started.snapshot.candles
        assert held is not None
        assert held.listings == Listings()


class TestNames:
    def test_an_old_name_answers_with_the_new_ones_bytes(self, house: House) -> None:
        house.lake.upsert(candles("POL"))
        house.service.refresh()
        assert told(house, "matic")["ativo"] == "POL"
        assert house.service.answer("MATIC") is house.service.answer("POL")
        assert house.service.held("MATIC") is house.service.held("POL")
        assert house.service.answers(["MATIC", "POL", "EOS"]).keys() == {"MATIC", "POL", "EOS"}
        both = house.service.forecasts(["MATIC", "POL"])
        assert both["MATIC"] == both["POL"]

    def test_an_answer_worked_out_for_an_old_name_is_kept_for_both(self) -> None:
        house = House("POL")
        house.service._warm_assets = 0
        house.service.load()
        assert house.service.held("MATIC") is None
        house.service.answer("MATIC")
        assert house.service.held("MATIC") is house.service.held("POL") is not None
        house.service.answers(["POL", "MATIC"])
        assert house.service.status().computations == 1

    def test_the_history_of_the_old_name_counts(self) -> None:
        house, walk = House(), candles("POL")
        house.lake.upsert(until(walk, 20).with_columns(symbol=pl.lit("MATIC")))
        house.lake.upsert(walk.filter(pl.col("time") >= LAST_CLOSE - 20 * DAILY.step))
        house.service.load()
        whole = House("POL")
        whole.service.load()
        assert house.service.answer("MATIC").body == whole.service.answer("POL").body
        assert list(house.service.windows().by_symbol) == ["POL"]

    def test_a_lake_with_only_the_old_name_serves_it(self) -> None:
        house = House("MATIC")
        house.service.load()
        assert told(house, "MATIC")["ativo"] == "MATIC"
        with pytest.raises(UnknownAsset):
            house.service.answer("POL")

    def test_old_names_are_among_the_nearest_symbols(self, house: House) -> None:
        house.lake.upsert(candles("POL"))
        house.service.refresh()
        with pytest.raises(UnknownAsset) as caught:
            house.service.answer("MATICC")
        assert caught.value.nearest == ("MATIC",)

    def test_a_multiple_is_marked_and_its_listed_name_answers(self, house: House) -> None:
        house.lake.upsert(candles("SATS"))
        house.service.refresh()
        plain = told(house, "SATS")
        assert "par" not in plain["dados"]
        assert "fator" not in plain["dados"]
        house.lists(BTC, ETH, Pair("1000SATS", "USDT"))
        house.service.refresh()
        marked = told(house, "1000sats")
        assert marked == plain | {"dados": plain["dados"] | {"par": "1000SATS/USDT", "fator": 1000}}
        assert house.service.answer("1000SATS") is house.service.answer("SATS")

    def test_a_multiple_of_another_exchange_than_the_candles_marks_nothing(self, house: House) -> None:
        house.lake.upsert(candles("SATS", source="kraken"))
        house.lists(BTC, ETH, Pair("1000SATS", "USDT"))
        house.service.refresh()
        assert "par" not in told(house, "SATS")["dados"]

    def test_a_name_with_candles_of_its_own_is_no_alias(self, house: House) -> None:
        house.lake.upsert(candles("SATS", "1000SATS", source="kraken"))
        house.lists(BTC, ETH, Pair("1000SATS", "USDT"))
        house.service.refresh()
        assert told(house, "1000SATS")["ativo"] == "1000SATS"


class TestBreaks:
    def broken(self, days_since: int) -> pl.DataFrame:
        walk = candles("LUNA")
        again = pl.col("time") >= LAST_CLOSE - days_since * DAILY.step
        prices = [
            pl.when(again).then(pl.col(name) * 1e5).otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        ]
        return walk.with_columns(prices)

    def test_too_few_candles_after_a_break_are_told_with_their_number(self) -> None:
        house = House()
        house.lake.upsert(self.broken(7))
        house.service.load()
        with pytest.raises(InsufficientHistory) as caught:
            house.service.answer("LUNA")
        assert (caught.value.available, caught.value.needed) == (7, SPEC.lookback)

    def test_a_break_before_the_window_has_no_effect(self) -> None:
        house, without = House(), House()
        house.lake.upsert(self.broken(SPEC.lookback))
        only = self.broken(SPEC.lookback).filter(pl.col("time") >= LAST_CLOSE - SPEC.lookback * DAILY.step)
        without.lake.upsert(only)
        house.service.load()
        without.service.load()
        assert SPEC.lookback < COUNT
        assert house.service.answer("LUNA").body == without.service.answer("LUNA").body

    def test_a_break_just_within_the_window_leaves_one_candle_too_few(self) -> None:
        house = House()
        house.lake.upsert(self.broken(SPEC.lookback - 1))
        house.service.load()
        with pytest.raises(InsufficientHistory):
            house.service.answer("LUNA")
