"""The lake of candles as a Delta table, in a folder or a bucket.

Partitioned by interval; each file's rows lie in order of time, so that "the last candles of every asset" reads the
ends of files, whose statistics the table and the files carry. Reads go through deltalake's own query engine:
polars' ``scan_delta`` is as fast but panics on a truncated file and takes its S3 options in another form.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, QueryBuilder, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from cripto.domain.candle import CANDLE_COLUMNS, Series
from cripto.domain.interval import parse_interval
from cripto.errors import InvalidInput, ObjectNotFound, OperatorError, WriteConflict
from cripto.market._candle_lake import KEPT, Optimization, Told, Upsert, retention_hours, series_of
from cripto.market._commit_watch import CommitWatch
from cripto.market._compaction import compacted, intervals_of, vacuumed
from cripto.market._delta_errors import reason, translated
from cripto.market._recent import HeldRecent, continued, last_of_each, spans_of
from cripto.market._sql import (
    COLUMNS,
    SAME_KEY,
    after,
    between,
    from_on,
    numbered_runs,
    of_interval,
    of_symbols,
    until,
    window,
    without,
)
from cripto.market._upserting import Difference, difference, distinct, slices, upserted
from cripto.market.schema import CANDLE_SCHEMA, empty_candles, sorted_by
from cripto.storage import ObjectStore

__all__ = ["DeltaLake"]

_LOG = logging.getLogger(__name__)
_ORDER = ("symbol", "quote", "time")
_LAYOUT = WriterProperties(max_row_group_size=65_536, compression="ZSTD", compression_level=3)
# Opening the table reads every commit since the last checkpoint.
_TABLE: dict[str, str | None] = {"delta.checkpointInterval": "20"}
# deltalake must not rebase our commit onto another's: to it two appends never conflict, and keys would double.
_OURS_OR_NOTHING = CommitProperties(max_commit_retries=0)
# later reader versions bring column mapping, deletion vectors and more
_PLAIN = 1
_ATTEMPTS = 60
_SLICE_ROWS = 1_000_000


class DeltaLake:
    """Candles in the Delta table that ``locate`` finds: its URI and its storage options, asked for on each call.

    Safe to share between threads and processes: every upsert compares with one version of the table and commits
    exactly the next one, or begins again. ``slice_rows`` bounds what one commit, and the memory for it, holds.
    ``within``, the store and the key that ``locate`` leads to, lets `version` ask for one small file.
    """

    def __init__(
        self,
        locate: Callable[[], tuple[str, dict[str, str]]],
        *,
        within: tuple[ObjectStore, str] | None = None,
        slice_rows: int = _SLICE_ROWS,
    ) -> None:
        self._locate = locate
        self._slice_rows = slice_rows
        self._left: tuple[tuple[str, dict[str, str]], DeltaTable] | None = None
        self._recent: dict[str, HeldRecent] = {}
        self._watch = None if within is None else CommitWatch(*within, self._opened_version)

    def version(self) -> int | None:
        """See `CandleLake.version`."""
        return self._opened_version() if self._watch is None else self._watch.version()

    def upsert(self, candles: pl.DataFrame, *, replace: bool = True) -> Upsert:
        """See `CandleLake.upsert`."""
        changes = [self._upsert_slice(part, replace) for part in slices(distinct(candles), self._slice_rows)]
        return upserted(changes, self._opened_version())

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
        table = self._open(version)
        wanted = [of_interval(interval), *of_symbols(symbols), *between(since, until)]
        return sorted_by(_select(table, *wanted), *_ORDER)

    def files(self, interval: str, version: int) -> list[str] | None:
        """See `CandleLake.files`."""
        name = parse_interval(interval).name
        table = self._open(version)
        if table is None:
            return None
        with translated(table.table_uri):
            if table.protocol().min_reader_version > _PLAIN:
                return None
            found = table.file_uris(file_pruning_predicate=[("interval", "=", name)])
        return sorted(uri if "://" in uri else unquote(uri) for uri in found)

    def recent(self, interval: str, candles: int) -> pl.DataFrame:
        """See `CandleLake.recent`."""
        step = parse_interval(interval).step
        place = self._locate()
        table = self._followed(place)
        if table is None or candles < 1:
            return empty_candles()
        with translated(table.table_uri):
            identity, files = str(table.metadata().id), spans_of(table, interval)
        if files is None:
            return _recent(table, interval, candles, step)
        held = self._recent.get(interval)
        found = None
        if held is not None and (held.table, held.candles) == (identity, candles):
            found = continued(
                held, files, step, lambda moment: _select(table, of_interval(interval), from_on(moment))
            )
        if found is None:
            found = _recent(
                table, interval, candles, step, max((span.last for span in files.values()), default=None)
            )
        self._recent[interval] = HeldRecent(identity, candles, files, found)
        self._left = place, table
        return found

    def optimize(self, *, keep: timedelta = KEPT, told: Told | None = None) -> Optimization:
        """See `CandleLake.optimize`."""
        hours = retention_hours(keep)
        table = self._open()
        if table is None:
            return Optimization(0, 0, 0, None)
        before, intervals = len(table.file_uris()), intervals_of(table)
        steps = [*(f"compacting {interval}" for interval in intervals), "summing up the log", "removing old files"]

        def begin(place: int) -> None:
            if told is not None:
                told(steps[place], place, len(steps))

        for place, interval in enumerate(intervals):
            begin(place)
            table = self._compacted(interval)
        with translated(table.table_uri):
            begin(len(intervals))
            table.create_checkpoint()
            begin(len(intervals) + 1)
            removed = vacuumed(table, hours)
            return Optimization(before, len(table.file_uris()), removed, table.version())

    def series(self, interval: str | None = None, *, since: datetime | None = None) -> list[Series]:
        """See `CandleLake.series`."""
        spans = _query(
            self._open(),
            'SELECT symbol, quote, "interval", min("time") AS "first", max("time") AS "last", count(*) AS candles',
            *([] if interval is None else [of_interval(interval)]),
            *between(since, None),
            then='GROUP BY symbol, quote, "interval"',
        )
        return series_of(spans) if spans.width else []

    def spans(
        self, interval: str, *, since: datetime | None = None, leaving_out: Collection[str] = ()
    ) -> list[Series]:
        """See `CandleLake.spans`."""
        conditions = [of_interval(interval), *([] if since is None else [from_on(since)]), *without(leaving_out)]
        found = _query(
            self._open(),
            'SELECT symbol, quote, "interval", min("time") AS "first", max("time") AS "last", count(*) AS candles',
            source=numbered_runs(parse_interval(interval), conditions),
            then='GROUP BY symbol, quote, "interval", run',
        )
        return series_of(found) if found.width else []

    def _followed(self, place: tuple[str, dict[str, str]]) -> DeltaTable | None:
        """The table at its latest version: the one left at ``place`` and what was committed since, if it lives.

        Whoever gets it has it alone, until it is left again.
        """
        left, self._left = self._left, None
        if left is not None and left[0] == place and self._watch is not None and self._watch.still():
            try:
                left[1].update_incremental()
            except Exception as error:  # whatever it is, opening the table tells it better
                _LOG.info("the candle table is opened anew: %s", reason(error))
            else:
                return left[1]
        return self._open()

    def _opened_version(self) -> int | None:
        table = self._open()
        return None if table is None else table.version()

    def _upsert_slice(self, rows: pl.DataFrame, replace: bool) -> Difference:
        """Compare and commit, again and again until nobody else committed in between."""
        for attempt in range(_ATTEMPTS):
            table = self._open()
            change = difference(rows, _held(table, rows), replace=replace)
            if change.changed.is_empty() or self._committed(table, change):
                return change
            _wait(attempt)
        raise WriteConflict("candles")

    def _compacted(self, interval: str) -> DeltaTable:
        """The table once its small files are put together."""
        for attempt in range(_ATTEMPTS):
            table = self._open()
            if table is None:
                raise ObjectNotFound("candles")
            with translated(table.table_uri):
                if compacted(table, interval, _LAYOUT):
                    return table
            _wait(attempt)
        raise WriteConflict("candles")

    def _committed(self, table: DeltaTable | None, change: Difference) -> bool:
        """Write the changed rows as the version after ``table``'s; ``False`` if somebody else wrote that one."""
        uri, options = self._locate()
        with translated(uri):
            try:
                if table is None:
                    write_deltalake(
                        uri,
                        change.changed,
                        partition_by=["interval"],
                        configuration=_TABLE,
                        storage_options=options,
                        writer_properties=_LAYOUT,
                        commit_properties=_OURS_OR_NOTHING,
                    )
                elif not change.updated:
                    write_deltalake(
                        table,
                        change.changed,
                        mode="append",
                        writer_properties=_LAYOUT,
                        commit_properties=_OURS_OR_NOTHING,
                    )
                else:
                    table.merge(
                        change.changed,
                        f"{SAME_KEY} AND {window(change.changed, 'held.')}",
                        source_alias="new",
                        target_alias="held",
                        writer_properties=_LAYOUT,
                        commit_properties=_OURS_OR_NOTHING,
                    ).when_matched_update_all().when_not_matched_insert_all().execute()
            except CommitFailedError:
                return False
            except DeltaError:
                # Of two writers that make the table, one is told that it exists.
                if table is None and self._open() is not None:
                    return False
                raise
        return True

    def _open(self, version: int | None = None) -> DeltaTable | None:
        uri, options = self._locate()
        with translated(uri):
            try:
                table = DeltaTable(uri, storage_options=options)
            except TableNotFoundError as error:
                if "PermissionDenied" in str(error) or "NotADirectory" in str(error):
                    raise
                table = None
            if table is not None:
                missing = set(CANDLE_COLUMNS) - {field.name for field in table.schema().fields}
                if missing:
                    raise OperatorError(
                        f"the table at {uri} holds no candles: it lacks {', '.join(sorted(missing))}"
                    )
            if version is None:
                return table
            if table is None or not 0 <= version <= table.version():
                raise InvalidInput(f"the candles have no version {version}")
            table.load_as_version(version)
            return table


def _wait(attempt: int) -> None:
    """Stand back for a while that grows, and differs from what others wait."""
    time.sleep(secrets.randbelow(1 + 10 * 2 ** min(attempt, 6)) / 1000)


def _query(
    table: DeltaTable | None, select: str, *conditions: str, source: str = "candles", then: str = ""
) -> pl.DataFrame:
    """Run a query on the candles; a frame without columns if there is no table."""
    if table is None:
        return pl.DataFrame()
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    with translated(table.table_uri):
        return pl.DataFrame(
            QueryBuilder().register("candles", table).execute(f"{select} FROM {source} {where} {then}")
        )


def _recent(
    table: DeltaTable, interval: str, candles: int, step: timedelta, last: datetime | None = None
) -> pl.DataFrame:
    """The last candles of every series, from all of the table; ``last``, if known, is when the latest opened."""
    if last is None:
        last = _query(table, 'SELECT max("time") AS "time"', of_interval(interval)).item()
    if last is None:
        return empty_candles()
    cut = last - candles * step
    latest = _select(table, of_interval(interval), after(cut))
    # Series that stopped, or have gaps, reach further back: rare, so only their symbols are read again.
    before = (of_interval(interval), until(cut))
    older = _query(table, "SELECT DISTINCT symbol, quote", *before)
    counts = latest.group_by("symbol", "quote").len().filter(pl.col("len") >= candles)
    short = older.join(counts, on=["symbol", "quote"], how="anti")
    if not short.is_empty():
        more = _select(table, *before, *of_symbols(short["symbol"].unique()))
        latest = pl.concat([more.join(short, on=["symbol", "quote"], how="semi"), latest])
    return last_of_each(latest, candles)


def _select(table: DeltaTable | None, *conditions: str) -> pl.DataFrame:
    found = _query(table, f"SELECT {COLUMNS}", *conditions)
    return found.match_to_schema(CANDLE_SCHEMA) if found.width else empty_candles()


def _held(table: DeltaTable | None, rows: pl.DataFrame) -> pl.DataFrame:
    """The candles that may share a key with ``rows``, which are of one interval."""
    return _select(table, window(rows), *of_symbols(rows["symbol"].unique()))
