"""A lake in memory and files to import into it."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from cripto.market.importing import ImportReport, import_file
from cripto.market.lake import MemoryLake

__all__ = ["NOW", "Desk"]

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Desk:
    """A lake, and files to import into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lake = MemoryLake()

    def text(self, *lines: str, name: str = "candles.csv", **options: str) -> ImportReport:
        return self.binary("\n".join(lines).encode(), name=name, **options)

    def binary(self, content: bytes, *, name: str = "candles.csv", **options: str) -> ImportReport:
        (self.folder / name).write_bytes(content)
        return import_file(self.folder / name, self.lake, now=NOW, **options)  # type: ignore[arg-type]

    def frame(self, candles: pl.DataFrame, **options: str) -> ImportReport:
        candles.write_parquet(self.folder / "candles.parquet")
        return import_file(self.folder / "candles.parquet", self.lake, now=NOW, **options)  # type: ignore[arg-type]
