"""What a server says of itself on ``/metrics``."""

from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.process import Server

__all__ = ["metric", "series"]


def series(server: Server) -> dict[str, float]:
    """Every sample by its name and labels."""
    answer = server.get("/metrics")
    if answer.status != 200:
        raise Unmeasured(f"/metrics was answered with {answer.status}")
    lines = (line for line in answer.body.decode().splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def metric(server: Server, name: str) -> float:
    """One sample; raise `Unmeasured` if there is none of that name."""
    found = series(server)
    if name not in found:
        raise Unmeasured(f"/metrics has no {name}")
    return found[name]
