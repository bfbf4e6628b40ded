"""What a service makes of a lake whose files were put together: another version, the same candles."""

from datetime import timedelta
from pathlib import Path

import polars as pl

from cripto.domain.clock import FixedClock
from cripto.forecasting import PredictionService
from cripto.market.lake import open_lake
from cripto.registry import ReleaseRegistry
from cripto.storage import MemoryStore
from tests.unit.forecasting.toys import DAILY, LAST_CLOSE, candles, draft


def test_a_compaction_is_noticed_and_nothing_is_worked_out_again(tmp_path: Path) -> None:
    lake = open_lake(tmp_path.as_uri())
    frame = candles("BTC", "ETH")
    for days in range(5, -1, -1):
        lake.upsert(frame.filter(pl.col("time") < LAST_CLOSE - days * DAILY.step))
    registry = ReleaseRegistry(MemoryStore())
    registry.publish(draft())
    clock = FixedClock(LAST_CLOSE + timedelta(hours=1))
    service = PredictionService(registry, open_lake(tmp_path.as_uri()), clock=clock, interval="1d")
    service.refresh()
    before, held = service.answer("BTC"), service.snapshot.candles
    worked_out = service.status().computations
    assert worked_out == 2

    done = lake.optimize()
    assert (done.files_before, done.files) == (6, 1)
    service.refresh()
    assert service.snapshot.candles is not held
    assert service.snapshot.candles is not None
    assert service.snapshot.candles.version == done.version
    assert service.answer("BTC").body == before.body
    assert service.status().computations == worked_out

    lake.upsert(candles("ETH", count=1).with_columns(time=pl.lit(LAST_CLOSE).dt.cast_time_unit("us")))
    service.refresh()
    assert service.status().computations == worked_out + 1, "the asset that has a new candle, and no other"
