"""A lake in memory: the twin that tests, examples and the bundled sample use."""

from collections.abc import Collection
from datetime import datetime, timedelta
from threading import Lock

import polars as pl

from cripto.domain.candle import CANDLE_KEY, Series
from cripto.domain.interval import parse_interval
from cripto.errors import InvalidInput
from cripto.market._candle_lake import KEPT, Optimization, Told, Upsert, retention_hours, series_of
from cripto.market._upserting import difference, distinct, upserted
from cripto.market.schema import empty_candles, sorted_by

__all__ = ["MemoryLake"]

_ORDER = ("symbol", "quote", "time")


class MemoryLake:
    """Candles in a data frame, every version kept. Safe to share between threads, not between processes."""

    def __init__(self) -> None:
        self._versions: list[pl.DataFrame] = []
        self._lock = Lock()

    def version(self) -> int | None:
        """See `CandleLake.version`."""
        return len(self._versions) - 1 if self._versions else None

    def upsert(self, candles: pl.DataFrame, *, replace: bool = True) -> Upsert:
        """See `CandleLake.upsert`."""
        incoming = distinct(candles)
        with self._lock:
            held = self._versions[-1] if self._versions else empty_candles()
            change = difference(incoming, held, replace=replace)
            if not change.changed.is_empty():
                kept = held.join(change.changed, on=CANDLE_KEY, how="anti")
                self._versions.append(pl.concat([kept, change.changed]))
            return upserted([change], self.version())

    def read(
        self,
        interval: str,
        *,
        symbols: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """See `CandleLake.read`."""
        parse_interval(interval)
        candles = self._at(version).filter(pl.col("interval") == interval)
        if symbols is not None:
            candles = candles.filter(pl.col("symbol").is_in(list(symbols)))
        if since is not None:
            candles = candles.filter(pl.col("time") >= since)
        if until is not None:
            candles = candles.filter(pl.col("time") < until)
        return sorted_by(candles, *_ORDER)

    def files(self, interval: str, version: int) -> list[str] | None:
        """See `CandleLake.files`: a data frame has none."""
        parse_interval(interval)
        self._at(version)
        return None

    def recent(self, interval: str, candles: int) -> pl.DataFrame:
        """See `CandleLake.recent`."""
        found = self.read(interval)
        if candles < 1:
            return found.clear()
        return found.group_by("symbol", "quote", maintain_order=True).tail(candles).select(found.columns)

    def spans(
        self, interval: str, *, since: datetime | None = None, leaving_out: Collection[str] = ()
    ) -> list[Series]:
        """See `CandleLake.spans`."""
        step = parse_interval(interval).step
        candles = self.read(interval).filter(~pl.col("source").is_in(list(leaving_out)))
        if since is not None:
            candles = candles.filter(pl.col("time") >= since)
        number = pl.int_range(pl.len(), dtype=pl.Int64).over("symbol", "quote")
        return series_of(
            candles.with_columns(run=pl.col("time") - number * step)
            .group_by("symbol", "quote", "interval", "run")
            .agg(first=pl.col("time").min(), last=pl.col("time").max(), candles=pl.len())
        )

    def optimize(self, *, keep: timedelta = KEPT, told: Told | None = None) -> Optimization:
        """See `CandleLake.optimize`: a data frame has no files."""
        retention_hours(keep)
        if told is not None:
            told("nothing to compact", 0, 1)
        return Optimization(0, 0, 0, self.version())

    def series(self, interval: str | None = None, *, since: datetime | None = None) -> list[Series]:
        """See `CandleLake.series`."""
        candles = self._at(None)
        if interval is not None:
            candles = candles.filter(pl.col("interval") == parse_interval(interval).name)
        if since is not None:
            candles = candles.filter(pl.col("time") >= since)
        spans = candles.group_by("symbol", "quote", "interval").agg(
            first=pl.col("time").min(), last=pl.col("time").max(), candles=pl.len()
        )
        return series_of(spans)

    def _at(self, version: int | None) -> pl.DataFrame:
        versions = self._versions
        if version is None:
            return versions[-1] if versions else empty_candles()
        if not 0 <= version < len(versions):
            raise InvalidInput(f"the candles have no version {version}")
        return versions[version]
