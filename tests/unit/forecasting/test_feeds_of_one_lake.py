"""Services of several intervals on one lake: what is committed of one leaves what was read of the others."""

from pathlib import Path

from cripto.domain.clock import FixedClock
from cripto.forecasting import PredictionService
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.doubles.candles import HOURLY, random_walk
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, candles, draft


def test_a_commit_of_another_interval_leaves_the_board(tmp_path: Path) -> None:
    registry, lake = ReleaseRegistry(MemoryStore()), open_lake(tmp_path.as_uri())
    registry.publish(draft())
    lake.upsert(candles("BTC", "ETH"))
    service = PredictionService(registry, lake, clock=FixedClock(LAST_CLOSE), interval="1d")
    served = service.refresh()
    for count in (10, 11):
        lake.upsert(random_walk(["BTC"], count, HOURLY))
        assert service.refresh() is served
        assert service.refresh() is served
    lake.upsert(random_walk(["LTC"], 80, DAILY, LAST_CLOSE - 80 * DAILY.step))
    after = service.refresh()
    assert after is not served
    assert service.answer("LTC").body
    assert service.status().computations == 3
    assert service.refresh() is after
