"""What exchanges were asked for and have not, so that it is not asked for again each time: one small object.

An answer without candles is believed for a week, not for ever: it may have been an accident.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cripto.errors import ObjectNotFound, WriteConflict
from cripto.market.planning import Stretch, joined
from cripto.storage import ObjectStore

__all__ = ["ASKED_KEY", "BELIEVED", "Asked", "AskedBook", "AskedSeries"]

ASKED_KEY = "candles/_asked.json"
"""Where it lies. Names that begin with an underscore are no part of the candle table, nor ever vacuumed."""
BELIEVED = timedelta(days=7)
"""For how long it is believed that there is nothing."""

_LOG = logging.getLogger(__name__)
_FORMAT = 1
_ATTEMPTS = 20
# A pair that is hardly traded has a hole a minute; what is not remembered of it is only asked for again.
_MOST = 32

AskedSeries = tuple[str, str, str, str]
"""Exchange, symbol, quote and interval."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Stretches without candles, each with when that was told, by series of an exchange: the longest of them."""

    empty: Mapping[AskedSeries, tuple[tuple[Stretch, datetime], ...]] = field(default_factory=dict)

    def believed(self, series: AskedSeries, now: datetime) -> list[Stretch]:
        """The stretches of a series that were told to be empty within the last `BELIEVED`."""
        return joined(stretch for stretch, at in self.empty.get(series, ()) if _fresh(at, now))

    def heard(self, found: Mapping[AskedSeries, Iterable[Stretch]], at: datetime) -> "Asked":
        """With what was told at ``at``, and without what is too old to be believed."""
        kept = {series: [item for item in items if _fresh(item[1], at)] for series, items in self.empty.items()}
        for series, stretches in found.items():
            new = joined(stretches)
            old = [item for item in kept.get(series, []) if not any(_within(item[0], other) for other in new)]
            told = [*old, *((stretch, at) for stretch in new)]
            kept[series] = sorted(told, key=lambda item: item[0].end - item[0].start)[-_MOST:]
        return Asked({series: tuple(sorted(items)) for series, items in sorted(kept.items()) if items})


class AskedBook:
    """`Asked` in a store. Several may write at once: nothing that one of them was told is lost."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self) -> Asked:
        """What is remembered; nothing, with a warning, where what lies there cannot be read."""
        return self._read()[0]

    def add(self, found: Mapping[AskedSeries, Iterable[Stretch]], at: datetime) -> None:
        """Remember more; raise `WriteConflict` if others kept winning. A later format is never written over."""
        if not found:
            return
        for _ in range(_ATTEMPTS):
            asked, tag, ours = self._read()
            if not ours:
                return
            data = _encoded(asked.heard(found, at))
            try:
                if tag is None:
                    self._store.create(ASKED_KEY, data)
                else:
                    self._store.replace(ASKED_KEY, data, tag)
            except WriteConflict:
                continue
            return
        raise WriteConflict(ASKED_KEY)

    def _read(self) -> tuple[Asked, str | None, bool]:
        """What is there, its tag, and whether it may be written over."""
        try:
            stored = self._store.get(ASKED_KEY)
        except ObjectNotFound:
            return Asked(), None, True
        try:
            document = json.loads(stored.data)
            if document["format"] > _FORMAT:
                _LOG.warning("%s is of a later format: nothing is remembered", ASKED_KEY)
                return Asked(), stored.etag, False
            return _decoded(document), stored.etag, True
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            _LOG.warning("%s cannot be read and is begun anew: %s", ASKED_KEY, type(error).__name__)
            return Asked(), stored.etag, True


def _fresh(at: datetime, now: datetime) -> bool:
    # a time to come was told by a wrong clock: it is believed no longer than others would be
    return abs(now - at) < BELIEVED


def _within(stretch: Stretch, other: Stretch) -> bool:
    return other.start <= stretch.start and stretch.end <= other.end


def _encoded(asked: Asked) -> bytes:
    series = [
        {
            **dict(zip(("exchange", "symbol", "quote", "interval"), name, strict=True)),
            "empty": [[_seconds(item.start), _seconds(item.end), _seconds(at)] for item, at in items],
        }
        for name, items in asked.empty.items()
    ]
    return json.dumps({"format": _FORMAT, "series": series}, separators=(",", ":")).encode()


def _decoded(document: Mapping[str, Any]) -> Asked:
    return Asked(
        {
            (str(item["exchange"]), str(item["symbol"]), str(item["quote"]), str(item["interval"])): tuple(
                (Stretch(_time(start), _time(end)), _time(at)) for start, end, at in item["empty"]
            )
            for item in document["series"]
        }
    )


def _seconds(time: datetime) -> int:
    return int(time.timestamp())


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
