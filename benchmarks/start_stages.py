"""Processor time of each stage of a start, gone through in this process in order; printed as JSON.

Apart from `benchmarks.start`, which has imported by then what is timed here.
"""

import gc
import json
import time

__all__ = ["main"]


def main() -> None:
    """Go through them; the store is the environment's."""
    found: dict[str, float] = {}
    last = time.process_time()

    def stage(name: str) -> None:
        nonlocal last
        now = time.process_time()
        found[name] = now - last
        last = now

    gc.disable()
    from cripto.cli.serve import application
    from cripto.cli.wiring import installation

    parts = installation()
    stage("settings")
    import numpy  # noqa: F401

    stage("numpy")
    import polars  # noqa: F401

    stage("polars")
    import onnxruntime  # noqa: F401

    stage("onnxruntime")
    import deltalake  # noqa: F401

    stage("deltalake")
    import fastapi  # noqa: F401

    stage("fastapi")
    import uvicorn  # noqa: F401

    import cripto.cli.protocol  # noqa: F401

    stage("uvicorn")
    from cripto import forecasting, serving  # noqa: F401

    stage("the rest of our imports")
    application(parts)
    stage("the application")
    parts.service.load()
    stage("release, candles, answers")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
