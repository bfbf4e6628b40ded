from cripto.market.lake import open_lake
from cripto.market.listings import LISTINGS_KEY
from cripto.storage import open_store
from tests.doubles.candles import random_walk
from tests.unit.cli.conftest import Command


def test_training_begins_with_what_exchanges_say_and_not_without(cripto: Command, store: str) -> None:
    open_lake(store).upsert(random_walk(["BTC"], 120))
    open_store(store).put(LISTINGS_KEY, b'{"format": 2}')
    result = cripto("train", "--folds", "2")
    assert result.code == 3
    assert "candles/_listings.json is of format 2" in result.err
