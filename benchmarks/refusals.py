"""Seconds that each hostile file takes to be refused, and sound ones to be converted, each in its own child."""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cripto.errors import ModelRefused
from cripto.registry.convert import convert_each
from tests.doubles.forests import large_files
from tests.doubles.hostile import CORPUS, NAMES, SPOILED
from tests.doubles.releases import toy_files

__all__ = ["main"]

SCANNED, OPENED = 2.0, 20.0
"""What a refusal by the scan may take, and anything that imports the libraries."""


def main() -> int:
    """Print them all; 1 if one took too long, or was not refused or converted as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary"
        wrong = [
            name
            for name, build in CORPUS.items()
            if not _timed(name, build(canary), None, OPENED if name in SPOILED else SCANNED, sound=False)
        ]
        wrong += ["a canary"] if canary.exists() else []
    wrong += [name for name, file in toy_files(len(NAMES)).items() if not _timed(name, file, NAMES, OPENED)]
    wrong += [name for name, file in large_files().items() if not _timed(name, file, None, OPENED)]
    print(f"NOT AS IT SHOULD BE: {', '.join(wrong)}" if wrong else "all as they should be")
    return int(bool(wrong))


def _timed(title: str, file: bytes, features: Sequence[str] | None, most: float, *, sound: bool = True) -> bool:
    """Whether the file was judged rightly, and in time."""
    model = title if sound else "regressor_rf"
    begun = time.perf_counter()
    found = convert_each({model: file}, features)[model]
    seconds = time.perf_counter() - begun
    refused = isinstance(found, ModelRefused)
    said = found.reason if isinstance(found, ModelRefused) else f"converted to {len(found.onnx):,} bytes"
    print(f"{title:28}{len(file):>12,} bytes{seconds:8.2f} s  {said[:60]}", flush=True)
    return refused != sound and seconds <= most


if __name__ == "__main__":
    sys.exit(main())
