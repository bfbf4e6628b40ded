"""How long the import of a file of candles into a new lake takes: ``python -m benchmarks.import_candles FILE``."""

import argparse
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cripto.market.importing import import_file
from cripto.market.lake import open_lake

__all__ = ["main"]


def main() -> None:
    """Import the file into a lake in a temporary folder, then once more; print rows, seconds and rows a second."""
    parser = argparse.ArgumentParser(description="Time the import of a file of candles.")
    parser.add_argument("file", type=Path)
    path = parser.parse_args().file
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake((Path(folder) / "store").as_uri())
        for label in ("first import", "import of the same file again"):
            began = time.perf_counter()
            report = import_file(path, lake, now=datetime.now(UTC))
            seconds = time.perf_counter() - began
            print(f"{label}: {report.rows:,} rows in {seconds:.2f} s, {report.rows / seconds:,.0f} rows/s")


if __name__ == "__main__":
    main()
