"""What a release with two forests of 200 trees takes in memory: as loaded, and once memory was handed back."""

import gc

from cripto.features import default_spec
from cripto.forecasting._memory import give_back
from cripto.forecasting.runtime import OnnxModel
from tests.doubles.forests import large_conversions
from tests.doubles.processes import resident_kib


def main() -> None:
    """Load, and print what memory was taken after each step."""
    graphs = {name: conversion.onnx for name, conversion in large_conversions().items()}
    gc.collect()
    give_back()
    before = resident_kib()
    models = [OnnxModel(name, graph, len(default_spec().names)) for name, graph in graphs.items()]
    loaded = resident_kib()
    give_back()
    print(f"graphs: {sum(map(len, graphs.values())) / 1e6:.1f} MB; {len(models)} models loaded")
    left = resident_kib()
    print(f"loaded: {(loaded - before) / 1000:.0f} MB more; once handed back: {(left - before) / 1000:.0f} MB")


if __name__ == "__main__":
    main()
