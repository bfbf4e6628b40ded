import json
import logging

import polars as pl
import pytest

from cripto.errors import NoRelease, StorageDenied, StorageUnavailable
from cripto.storage import MemoryStore, ObjectStore
from tests.doubles.stores import WatchedStore
from tests.unit.forecasting.disks import service
from tests.unit.forecasting.toys import DAILY, VERSION, House, candles, constant_onnx, draft

LATER = "20250801-0000"
DOWN = StorageUnavailable("down")


def down(house: House) -> None:
    house.registry.fault = house.lake.fault = DOWN


def keys(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("")]


@pytest.fixture
def house() -> House:
    return House("BTC", "ETH")


@pytest.fixture
def local(house: House) -> MemoryStore:
    """A disk on which a service has kept what it served."""
    disk = MemoryStore()
    service(house, disk).load()
    return disk


def test_a_pod_starts_with_the_same_answers_while_the_store_is_down(house: House, local: MemoryStore) -> None:
    running = service(house, local)
    running.load()
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.answer("BTC").body == running.answer("BTC").body
    status = started.status()
    assert status.release == VERSION
    assert [(problem.part, problem.error) for problem in status.problems] == [("release", DOWN)]


def test_without_a_disk_a_pod_waits_for_its_store(house: House) -> None:
    down(house)
    started = service(house, MemoryStore())
    started.refresh()
    with pytest.raises(NoRelease):
        started.answer("BTC")


def test_an_answer_from_disk_says_how_many_candles_it_misses(house: House, local: MemoryStore) -> None:
    down(house)
    house.clock.time += 3 * DAILY.step
    started = service(house, local)
    started.refresh()
    data = json.loads(started.answer("BTC").body)["dados"]
    assert (data["situacao"], data["candles_em_atraso"]) == ("atrasado", 3)


def test_the_store_is_taken_up_again_once_it_answers(house: House, local: MemoryStore) -> None:
    down(house)
    started = service(house, local)
    started.refresh()
    house.registry.publish(draft(LATER))
    house.registry.fault = house.lake.fault = None
    started.refresh()
    assert json.loads(started.answer("BTC").body)["release"] == LATER
    assert started.status().problems == ()


def test_candles_alone_come_from_disk_where_only_the_lake_fails(house: House, local: MemoryStore) -> None:
    house.lake.fault = DOWN
    started = service(house, local)
    started.refresh()
    assert started.answer("BTC").body
    assert [problem.part for problem in started.status().problems] == ["candles"]


def test_a_store_that_says_it_holds_nothing_is_believed(house: House, local: MemoryStore) -> None:
    house.registry.fault = NoRelease("there is none")
    started = service(house, local)
    started.refresh()
    assert not started.ready


def test_what_was_read_once_is_not_fetched_again(house: House, local: MemoryStore) -> None:
    read: list[str] = []
    house.registry._store = WatchedStore(house.store, lambda method, key: read.append(key))
    service(house, local).load()
    assert [key for key in read if key.endswith(".onnx")] == []


def test_only_the_last_good_release_is_kept(house: House, local: MemoryStore) -> None:
    house.registry.publish(draft(LATER))
    service(house, local).load()
    folders = {key.split("/")[2] for key in keys(local) if key.startswith("models/releases/")}
    assert folders == {LATER}
    assert len([key for key in keys(local) if key.endswith(".parquet")]) == 1


def test_a_refused_release_does_not_take_the_place_of_the_last_good(house: House, local: MemoryStore) -> None:
    house.registry.publish(draft(LATER, models={"regressor_rf": constant_onnx("regressor_rf", float("nan"))}))
    running = service(house, local)
    running.refresh()
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.status().release == VERSION


def test_new_candles_are_kept_too(house: House, local: MemoryStore) -> None:
    running = service(house, local)
    running.load()
    house.lake.upsert(candles("NEW"))
    running.refresh()
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.answer("NEW").body


@pytest.mark.parametrize("suffix", ["manifest.json", "regressor_rf.onnx", "served.json", "empty served.json"])
def test_a_copy_that_is_not_whole_is_as_good_as_none(house: House, local: MemoryStore, suffix: str) -> None:
    data = b"" if suffix.startswith("empty") else b"{}"
    (key,) = (key for key in keys(local) if key.endswith(suffix.removeprefix("empty ")))
    local.put(key, data)
    down(house)
    started = service(house, local)
    started.refresh()
    assert not started.ready
    house.registry.fault = house.lake.fault = None
    started.refresh()
    assert started.answer("BTC").body


def test_candles_on_disk_that_were_changed_are_not_read(house: House, local: MemoryStore) -> None:
    (key,) = (key for key in keys(local) if key.endswith(".parquet"))
    local.put(key, b"PAR1 and rubbish")
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.status().release == VERSION
    with pytest.raises(StorageUnavailable):
        started.answer("BTC")


def test_candles_kept_for_another_lookback_are_not_used(house: House, local: MemoryStore) -> None:
    (key,) = (key for key in keys(local) if key.endswith(".parquet"))
    data = local.get(key).data
    local.delete(key)
    local.put(key.replace("recent/61-", "recent/60-"), data)
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.snapshot.board is None


class FullDisk(WatchedStore):
    """Refuses every write while it is full."""

    def __init__(self) -> None:
        self.full = True
        super().__init__(MemoryStore(), self._refuse)

    def _refuse(self, method: str, key: str) -> None:
        if self.full and method == "put":
            raise StorageUnavailable("no space left on device")


def test_a_full_disk_keeps_nobody_from_being_served_and_is_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FullDisk()
    running = service(house, disk)
    with caplog.at_level(logging.WARNING):
        running.refresh()
    assert running.answer("BTC").body
    assert [problem.part for problem in running.status().problems] == ["cache"]
    disk.full = False
    house.lake.upsert(candles("NEW"))
    running.refresh()
    assert running.status().problems == ()
    down(house)
    started = service(house, disk)
    started.refresh()
    assert started.answer("BTC").body


def test_a_disk_that_cannot_be_read_is_no_reason_to_fail(house: House) -> None:
    def refuse(method: str, key: str) -> None:
        raise StorageDenied(f"{key}: permission denied")

    running = service(house, WatchedStore(MemoryStore(), refuse))
    running.refresh()
    assert running.answer("BTC").body
    down(house)
    started = service(house, WatchedStore(MemoryStore(), refuse))
    started.refresh()
    assert not started.ready


def test_a_frame_of_another_interval_is_not_served(house: House, local: MemoryStore) -> None:
    import hashlib
    import io

    (key,) = (key for key in keys(local) if key.endswith(".parquet"))
    frame = pl.read_parquet(local.get(key).data).with_columns(interval=pl.lit("1h"))
    file = io.BytesIO()
    frame.write_parquet(file)
    local.delete(key)
    local.put(f"recent/61-{hashlib.sha256(file.getvalue()).hexdigest()}.parquet", file.getvalue())
    down(house)
    started = service(house, local)
    started.refresh()
    assert started.snapshot.board is None
