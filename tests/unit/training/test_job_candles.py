"""What a run makes of the candles of the lake: which it takes, which it leaves out, which it refuses."""

from datetime import timedelta

import polars as pl
import pytest

from cripto.domain.clock import FixedClock
from cripto.errors import TrainingRefused
from cripto.market.lake import MemoryLake
from cripto.market.listings import Listings
from cripto.market.source import Pair
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from cripto.training import TrainingPlan, train
from cripto.training.walk_forward import MINIMUM_ROWS
from tests.doubles.candles import START, random_walk
from tests.unit.training.toys import NOW, QUICK, lake_of, names, no_conversion, quickly


def test_an_asset_is_trained_on_in_a_quote_it_is_still_traded_in() -> None:
    lake = lake_of(pl.concat([random_walk(["BTC"], 270), random_walk(["BTC"], 270, quote="USD")]))
    listings = Listings().seen("binance", [Pair("BTC", "USDT", active=False)], NOW)
    plan = TrainingPlan(recipes=QUICK, quotes=("USDT",))
    for known, quote in ((Listings(), "USDT"), (listings, "USD")):
        registry = ReleaseRegistry(MemoryStore())
        result = train(
            lake, registry, plan, FixedClock(NOW), convert=no_conversion, listings=known, draw=lambda _: b""
        )
        assert result.manifest.training["assets"]["BTC"]["quote"] == quote


def _climbing(count: int, each: float) -> pl.DataFrame:
    """BTC whose close moves by the factor ``each`` a day, without exception."""
    price = pl.Series([100.0 * each**place for place in range(count)])
    return random_walk(["BTC"], count).with_columns(open=price, close=price, high=price * 1.01, low=price / 1.01)


@pytest.mark.parametrize(
    ("candles", "reason"),
    [
        (None, "no candles in the lake"),
        (random_walk(["BTC"], 60), "longest series has 60"),
        (random_walk(["BTC"], 200), f"at least {MINIMUM_ROWS} are needed"),
        (_climbing(400, 1.001), "rises after every one of"),
        (_climbing(400, 0.999), "rises after none of"),
        (_climbing(400, 1.0), "never moves"),
    ],
)
def test_candles_that_do_not_do_are_refused_with_the_reason(candles: pl.DataFrame | None, reason: str) -> None:
    store = MemoryStore()
    lake = MemoryLake() if candles is None else lake_of(candles)
    with pytest.raises(TrainingRefused, match=reason):
        quickly(lake, store)
    assert names(store) == []


def test_one_asset_is_enough() -> None:
    result = quickly(lake_of(random_walk(["BTC"], 400)), MemoryStore())
    assert list(result.manifest.training["assets"]) == ["BTC"]
    assert result.promoted


def test_coin_with_few_candles_beside_others_is_left_out() -> None:
    candles = pl.concat([random_walk(["BTC"], 400), random_walk(["NEW"], 60)])
    training = quickly(lake_of(candles), MemoryStore()).manifest.training
    assert list(training["assets"]) == ["BTC"]
    assert training["left_out"] == ["NEW"]


def test_candles_that_have_not_closed_are_not_learned_from_and_are_told() -> None:
    known, midday = random_walk(["BTC"], 400), START + timedelta(days=400, hours=12)
    early = pl.concat([random_walk(["BTC"], 500), random_walk(["NEW"], 100, start=START + timedelta(days=9999))])
    wanted = quickly(lake_of(known), MemoryStore(), FixedClock(midday), folds=2).manifest
    found = quickly(lake_of(pl.concat([known, early])), MemoryStore(), FixedClock(midday), folds=2).manifest
    assert found.training["candles"].pop("not_closed") == {"candles": 200, "assets": ["BTC", "NEW"]}
    assert found.to_bytes() == wanted.to_bytes()


def test_a_lake_of_candles_that_have_not_closed_holds_nothing_to_train_on() -> None:
    with pytest.raises(TrainingRefused, match="has no closed 1d candles"):
        quickly(lake_of(random_walk(["BTC"], 400)), MemoryStore(), FixedClock(START))
