import json
import logging
from datetime import timedelta

import pytest

from cripto.errors import WriteConflict
from cripto.market.asked import ASKED_KEY, BELIEVED, Asked, AskedBook, AskedSeries
from cripto.market.planning import Stretch
from cripto.storage import MemoryStore
from tests.doubles.candles import DAILY, START

BTC: AskedSeries = ("binance", "BTC", "USDT", "1d")
ETH: AskedSeries = ("binance", "ETH", "USDT", "1d")


def days(start: int, end: int) -> Stretch:
    return Stretch(START + start * DAILY.step, START + end * DAILY.step)


def test_what_was_told_is_remembered_by_series_and_joined() -> None:
    book = AskedBook(MemoryStore())
    assert book.read() == Asked()
    book.add({BTC: [days(0, 3), days(3, 5)]}, START)
    book.add({BTC: [days(8, 9)], ETH: [days(1, 2)]}, START + timedelta(hours=1))
    asked = book.read()
    assert asked.believed(BTC, START) == [days(0, 5), days(8, 9)]
    assert asked.believed(ETH, START) == [days(1, 2)]
    assert asked.believed(("kraken", "BTC", "USDT", "1d"), START) == []


def test_what_was_told_a_week_ago_is_asked_again_and_no_more_kept() -> None:
    book = AskedBook(MemoryStore())
    book.add({BTC: [days(0, 3)], ETH: [days(0, 1)]}, START)
    later = START + BELIEVED
    assert book.read().believed(BTC, later - timedelta(seconds=1)) == [days(0, 3)]
    assert book.read().believed(BTC, later) == []
    assert book.read().believed(BTC, START - BELIEVED) == []
    book.add({ETH: [days(0, 1)]}, later)
    assert set(book.read().empty) == {ETH}


def test_what_is_told_again_counts_from_then() -> None:
    book = AskedBook(MemoryStore())
    book.add({BTC: [days(0, 3)]}, START)
    book.add({BTC: [days(0, 4)]}, START + timedelta(days=6))
    assert book.read().empty[BTC] == ((days(0, 4), START + timedelta(days=6)),)


def test_of_many_holes_the_longest_are_remembered() -> None:
    book = AskedBook(MemoryStore())
    holes = [days(3 * at, 3 * at + 1) for at in range(5000)]
    book.add({BTC: [*holes, days(-900, -1)]}, START)
    believed = book.read().believed(BTC, START)
    assert len(believed) == 32
    assert believed[0] == days(-900, -1)


class Contended(MemoryStore):
    """Somebody else writes between each read and write, ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def _first(self) -> None:
        if self.times > 0:
            self.times -= 1
            AskedBook(self).add({ETH: [days(self.times, self.times + 1)]}, START)

    def create(self, key: str, data: bytes) -> str:
        self._first()
        return super().create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> str:
        self._first()
        return super().replace(key, data, etag)


def test_nothing_of_what_several_write_at_once_is_lost() -> None:
    store = Contended(4)
    AskedBook(store).add({BTC: [days(0, 1)]}, START)
    asked = AskedBook(store).read()
    assert asked.believed(BTC, START) == [days(0, 1)]
    assert asked.believed(ETH, START) == [days(0, 4)]


def test_who_never_wins_is_told_so() -> None:
    class Lost(MemoryStore):
        def create(self, key: str, data: bytes) -> str:
            raise WriteConflict(key)

    with pytest.raises(WriteConflict):
        AskedBook(Lost()).add({BTC: [days(0, 1)]}, START)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{}", b'{"format":1,"series":[{}]}', b'{"format":"x"}', b'{"format":1}']
)
def test_what_cannot_be_read_is_begun_anew_with_a_warning(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.put(ASKED_KEY, data)
    with caplog.at_level(logging.WARNING):
        assert AskedBook(store).read() == Asked()
    assert "begun anew" in caplog.text
    AskedBook(store).add({BTC: [days(0, 1)]}, START)
    assert AskedBook(store).read().believed(BTC, START) == [days(0, 1)]


def test_a_later_format_is_left_alone() -> None:
    store = MemoryStore()
    store.put(ASKED_KEY, b'{"format": 2}')
    AskedBook(store).add({BTC: [days(0, 1)]}, START)
    assert store.get(ASKED_KEY).data == b'{"format": 2}'


def test_the_first_format_is_read() -> None:
    store = MemoryStore()
    series = dict(zip(("exchange", "symbol", "quote", "interval"), BTC, strict=True))
    document = {"format": 1, "series": [{**series, "empty": [[1704067200, 1704153600, 1704067200]]}]}
    store.put(ASKED_KEY, json.dumps(document).encode())
    assert AskedBook(store).read().believed(BTC, START) == [days(0, 1)]
