"""``python -m benchmarks.serving``: measure this service beside yardsticks, each pinned to one core.

Exit code 0 whether or not the targets are kept (machines are noisy), 1 if something could not be measured.
"""

import argparse
import json
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.serving import rounds, targets
from benchmarks.serving.bench import Bench
from benchmarks.serving.machine import Neighbours, choose_cores, describe_machine, pin
from benchmarks.serving.outcome import LeftOut, Unmeasured
from benchmarks.serving.report import MEASUREMENTS, headline, markdown, tables_of
from benchmarks.serving.stores import Stores, folder_of_real_candles
from benchmarks.serving.wrk import wrk_is_there
from cripto.cli.train import source_revision

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run what was asked for."""
    options = _options()
    if options.markdown is not None:
        print(markdown(json.loads(options.markdown.read_text())))
        return 0
    if not wrk_is_there():
        print("WRK MISSING: nothing can be measured without it; `make debian-bench` installs it (as root)")
        return 1
    # asked to stop, the servers are stopped too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    result = _measured(options.only, options.rounds, options.seconds)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(bool(result["unmeasured"]))


def _measured(names: list[str], rounds_: int, seconds: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "schema": 1,
        "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "machine": describe_machine(),
        "source": source_revision(),
        "settings": {"rounds": rounds_, "seconds": seconds, "only": names},
        "measurements": {},
        "neighbours": {},
        "left_out": {},
        "unmeasured": {},
    }
    print(headline(result), flush=True)
    with tempfile.TemporaryDirectory(prefix="cripto-bench-") as folder:
        cores = choose_cores()
        stores = Stores(Path(folder), folder_of_real_candles(_ROOT))
        _ = stores.real  # trained on every core there is
        result["candles"] = stores.candles
        # this process, and whatever it starts and does not move, drives
        pin(0, cores.load)
        bench = Bench(stores, cores, Path(folder), rounds_, seconds)
        for name in names:
            print(f"\n== {name}", flush=True)
            _take(name, bench, result)
    result["targets"] = targets.judge(result["measurements"])
    print(targets.table(result["targets"]).text())
    for name, why in result["unmeasured"].items():
        print(f"NOT MEASURED: {name}: {why}")
    return result


def _take(name: str, bench: Bench, result: dict[str, Any]) -> None:
    measure, _ = MEASUREMENTS[name]
    neighbours = Neighbours()
    try:
        figures = json.loads(json.dumps(measure(bench)))
        share = result["neighbours"][name] = round(neighbours.share(), 3)
        result["measurements"][name] = figures
        for table in tables_of(name, figures):
            print(table.text(), flush=True)
        print(f"Others took {share:.0%} of the machine meanwhile.", flush=True)
        if name == "requests" and (faults := rounds.faults(figures)):
            raise Unmeasured("; ".join(faults))
    except LeftOut as error:
        result["left_out"][name] = str(error)
        print(f"LEFT OUT: {error}", flush=True)
    except (Unmeasured, OSError) as error:
        result["unmeasured"][name] = str(error) or repr(error)
        print(f"NOT MEASURED: {error}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=_positive, default=3, help="seconds of each contender in a round (3)")
    parser.add_argument(
        "--only", type=_names, default=list(MEASUREMENTS), help=f"some of {','.join(MEASUREMENTS)}"
    )
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE.json", help="measure nothing: print such a file's tables"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above zero")
    return value


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        raise argparse.ArgumentTypeError(f"no measurement is called {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
