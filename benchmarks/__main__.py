"""All benchmarks, one after the other, each in a process of its own: ``make bench``.

The candles are looked for in the folder that REAL_CANDLES names, ``../shared/data`` by default.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ.get("REAL_CANDLES", Path(__file__).parents[2] / "shared" / "data"))
DAILY, HOURLY = FOLDER / "daily_binance_spot.parquet", FOLDER / "hourly_binance.parquet"
RUNS = (
    ("serving", ()),
    ("build_features", ()),
    ("compression", ()),
    ("model_memory", ()),
    ("refusals", ()),
    ("servers", ()),
    ("start", ()),
    ("intervals", ()),
    ("limits", ("var/image",)),
    ("read_recent", ()),
    ("lake_size", ()),
    ("check_lake", ()),
    ("fetch_candles", ()),
    ("import_candles", (DAILY,)),
    ("import_candles", (HOURLY,)),
    ("train", (DAILY, "1d")),
    ("train", (HOURLY, "1h")),
)


def main() -> int:
    """Run them all; 1 if one failed."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    failed = False
    for name, arguments in RUNS:
        files = [argument for argument in arguments if isinstance(argument, Path)]
        print(f"\n== {name} {' '.join(file.name for file in files)}", flush=True)
        if missing := [file.name for file in files if not file.exists()]:
            print(f"LEFT OUT: {', '.join(missing)} is not in the folder REAL_CANDLES names")
            continue
        command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
        failed |= subprocess.run(command, cwd=Path(__file__).parents[1], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
