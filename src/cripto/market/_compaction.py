"""Small files of the candle table made into few large ones, and files that no version may need any more removed.

Only small files are taken, so the cost follows what was written since the last time, not the size of the table.
Rows keep their order, by which upserts lie in order of time already.
"""

from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError

__all__ = ["compacted", "intervals_of", "vacuumed"]

_FILE_BYTES = 32 * 2**20


def intervals_of(table: DeltaTable) -> list[str]:
    """The intervals the table is parted by, sorted."""
    return sorted({str(part["interval"]) for part in table.partitions()})


def compacted(table: DeltaTable, interval: str, layout: WriterProperties) -> bool:
    """Put the small files of one interval together; commit nothing if there is nothing to put together.

    Candles that others append meanwhile are no hindrance, since no candle is changed here. ``False`` if one of the
    files was rewritten by a revision: open the table and begin again.
    """
    try:
        table.optimize.compact(
            partition_filters=[("interval", "=", interval)],
            target_size=_FILE_BYTES,
            writer_properties=layout,
        )
    except CommitFailedError:
        return False
    return True


def vacuumed(table: DeltaTable, hours: int) -> int:
    """Remove the files that no version of the last ``hours`` holds, and that are older than that; how many.

    Those a killed writer left behind are among them. Commits nothing if there are none.
    """
    if not table.vacuum(retention_hours=hours, dry_run=True, full=True):
        return 0
    return len(table.vacuum(retention_hours=hours, dry_run=False, full=True))
