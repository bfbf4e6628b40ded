"""What a release with two forests of 200 trees takes in memory: as loaded, and once memory was handed back."""

import gc
from pathlib import Path

from cripto.features import default_spec
from cripto.forecasting._memory import give_back
from cripto.forecasting.runtime import OnnxModel
from tests.doubles.forests import large_conversions


def resident() -> float:
    """Resident memory of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1000


def main() -> None:
    """Load, and print what memory was taken after each step."""
    graphs = {name: conversion.onnx for name, conversion in large_conversions().items()}
    gc.collect()
    give_back()
    before = resident()
    models = [OnnxModel(name, graph, len(default_spec().names)) for name, graph in graphs.items()]
    loaded = resident()
    give_back()
    print(f"graphs: {sum(map(len, graphs.values())) / 1e6:.1f} MB; {len(models)} models loaded")
    print(f"loaded: {loaded - before:.0f} MB more; handed back: {resident() - before:.0f} MB more")


if __name__ == "__main__":
    main()
