"""A search for better recipes on a file of candles, and what came of it: ``docs/search.json``.

``python -m benchmarks.search [FILE] [INTERVAL] [--candidates N] [--before DATE] [--out JSON]``: FILE is a Parquet
file with the columns of the candle table, by default the daily one in the folder REAL_CANDLES names.
It is searched in two windows: the rows before the first part that a release is scored on, which is what ``cripto
train --search`` may look at; and all rows before DATE, the window in which the recipes were chosen
(``docs/experiments.md``). JSON is written whole, after each of the two.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cripto.domain.clock import rfc3339
from cripto.domain.interval import parse_interval
from cripto.features import default_spec
from cripto.training.dataset import build_dataset
from cripto.training.engine import LocalEngine
from cripto.training.estimators import RECIPES
from cripto.training.plan import SEED
from cripto.training.search import rows_before, search
from cripto.training.search_space import SearchPlan
from cripto.training.walk_forward import walk_forward

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("REAL_CANDLES", ROOT.parent / "shared" / "data"))
_EVERY_SECONDS = 30.0


class Progress:
    """Says now and then how many fits are done."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.started = self.said = time.perf_counter()

    def __call__(self, done: int, total: int) -> None:
        """Hear that ``done`` of ``total`` are."""
        now = time.perf_counter()
        if now - self.said > _EVERY_SECONDS or done == total:
            self.said = now
            print(f"{self.label}: {done} of {total} fits after {now - self.started:.0f} s", flush=True)


def main(file: Path, interval_name: str, count: int, before: date, out: Path) -> None:
    """Search both windows, print a table of each and write ``out``."""
    interval = parse_interval(interval_name)
    candles = pl.read_parquet(file).with_columns(interval=pl.lit(interval_name))
    dataset = build_dataset(candles, default_spec(), interval)
    first = walk_forward(dataset.time, interval)[0]
    cut = np.datetime64(datetime(before.year, before.month, before.day, tzinfo=UTC).replace(tzinfo=None), "us")
    # a target closes two steps after its row's candle opens, and must have by then
    known = dataset.time + 2 * np.timedelta64(interval.seconds, "s") <= cut
    windows = {
        f"before the first test part of a release ({rfc3339(first.first_test)})": first.train.stop,
        f"before {before}": int(known.sum()),
    }
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    engine, plan = LocalEngine(min(os.cpu_count() or 1, len(RECIPES))), SearchPlan(count)
    runs: list[dict[str, Any]] = []
    for label, stop in windows.items():
        worked = time.process_time()
        found = search(
            plan, RECIPES, rows_before(dataset, stop), interval, SEED, engine, Progress(label)
        ).to_json()
        print(f"\n{label}: {stop} rows, {time.process_time() - worked:.0f} CPU s")
        show(found)
        runs.append({"window": label, **found})
        result = {"candles": {"file": file.name, "sha256": digest}, "runs": runs}
        written = out.with_suffix(".part")
        written.write_text(json.dumps(_rounded(result), indent=1, allow_nan=False) + "\n")
        written.replace(out)


def _rounded(value: Any) -> Any:
    """The same with six significant digits: the rest differs between machines."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def show(found: Mapping[str, Any]) -> None:
    """Print each candidate, the most improved first; in percent."""
    for name, model in found["models"].items():
        print(f"{name}: skill {100 * model['present']['skill']:+.2f}; {model['verdict']}")
        rows = sorted(model["candidates"], key=lambda row: -row["improvement"])
        for row in rows:
            changed = {
                key: value
                for key, value in row["settings"].items()
                if value != model["present"]["settings"].get(key)
            }
            (low, high), (strict_low, strict_high) = row["interval"], row["interval_for_all_tried"]
            print(
                f"  {100 * row['improvement']:+.3f} ({100 * low:+.3f} to {100 * high:+.3f}; for all tried"
                f" {100 * strict_low:+.3f} to {100 * strict_high:+.3f}) {changed}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=FOLDER / "daily_binance_spot.parquet")
    parser.add_argument("interval", nargs="?", default="1d")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--before", type=date.fromisoformat, default=date(2024, 1, 10))
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "search.json")
    asked = parser.parse_args()
    main(asked.file, asked.interval, asked.candidates, asked.before, asked.out)
