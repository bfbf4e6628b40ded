"""What is asked of the service, and whether the figures keep it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.serving import arrival, board, calm, memory, rounds, start
from benchmarks.serving.bench import Figures, Table
from benchmarks.serving.outcome import Unmeasured
from benchmarks.serving.summary import median_of, ratio_of_rounds

__all__ = ["TARGETS", "Target", "judge", "table"]

PASS, FAIL, UNKNOWN = "pass", "FAIL", "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure of one measurement, and the least (``at_least``) or the most it may be; both bounds included."""

    name: str
    measurement: str
    value: Callable[[Figures], float]
    limit: float
    at_least: bool = False
    unit: str = ""

    def verdict(self, figures: Figures | None) -> dict[str, Any]:
        """Pass or FAIL beside the figure, or that, and why, there is none."""
        told = {"target": self.name, "limit": f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}"}
        try:
            if figures is None:
                raise Unmeasured(f"{self.measurement} was not run")
            value = self.value(figures)
        except Unmeasured as error:
            return {**told, "value": None, "verdict": UNKNOWN, "why": str(error)}
        # written so that NaN fails
        kept = value >= self.limit if self.at_least else value <= self.limit
        return {**told, "value": round(value, 4), "verdict": PASS if kept else FAIL, "why": ""}


def _requests(name: str, one: str, other: str, limit: float) -> tuple[Target, Target]:
    """A ratio of rows as they were seen, and by the servers' own processor time.

    Where neighbours hold the load generator back, the faster of two servers loses more and the ratio flatters the
    slower one; where they hold a server back, either may seem slower. By processor time neither is.
    """
    targets = []
    for per, said in (("rate", ""), (rounds.CORE_TIME, ", by core time")):
        targets.append(Target(name + said, "requests", _ratio(one, other, per), limit, at_least=True))
    return targets[0], targets[1]


def _ratio(one: str, other: str, per: str) -> Callable[[Figures], float]:
    return lambda figures: ratio_of_rounds(rounds.rates(figures, one, per), rounds.rates(figures, other, per))


def _calm(kind: str) -> Callable[[Figures], float]:
    return lambda figures: calm.p99_ratio(figures[kind])


def _arrival(place: str) -> Callable[[Figures], float]:
    return lambda figures: arrival.longest(figures, place)


def _start(kind: str) -> Callable[[Figures], float]:
    return lambda figures: median_of(figures["seconds"][kind])


def _memory(name: str) -> Callable[[Figures], float]:
    return lambda figures: float(figures["resident_mb"][name]["after load"])


def _flood(key: str) -> Callable[[Figures], float]:
    return lambda figures: float(figures["states"]["after"][key] - figures["states"]["before"][key])


TARGETS = (
    *_requests("warm requests, x bare ASGI", rounds.WARM, rounds.BARE, 0.70),
    *_requests("warm requests, x naive", rounds.WARM, rounds.NAIVE, 400),
    # no slower, as far as these machines can tell
    *_requests("304 answers, x warm", rounds.NOT_MODIFIED, rounds.WARM, 0.97),
    Target("on demand, p50", "on-demand", lambda found: float(found["milliseconds"]["p50"]), 3.0, unit=" ms"),
    Target(
        "board of 1,000",
        "board",
        lambda found: float(found["microseconds"]["1000"]["board"]) / 1e6,
        1.5,
        unit=" s",
    ),
    Target("board, cost an asset at 5,000 over 1,000", "board", board.growth, 1.25),
    *(Target(f"p99 while {label}, x quiet", "calm", _calm(kind), 3.0) for kind, label in calm.KINDS.items()),
    *(Target(f"a new candle told, {place}", "arrival", _arrival(place), 5, unit=" s") for place in arrival.PLACES),
    *(Target(f"start from {kind}", "start", _start(kind), 1.5, unit=" s") for kind in start.KINDS),
    *(Target(f"resident memory, {name}", "memory", _memory(name), 350, unit=" MB") for name in memory.OURS),
    Target("flood, more memory", "flood", _flood("resident_mb"), 10, unit=" MB"),
    Target("flood, more metric series", "flood", _flood("series"), 0),
    Target("flood, requests to the store", "flood", _flood("store_requests"), 0),
)
"""What the project asks of itself."""


def judge(measurements: Mapping[str, Figures]) -> list[dict[str, Any]]:
    """Every target's verdict."""
    return [target.verdict(measurements.get(target.measurement)) for target in TARGETS]


def table(verdicts: list[dict[str, Any]]) -> Table:
    """The verdicts, one a line."""
    rows = [
        [one["target"], "-" if one["value"] is None else f"{one['value']:,.4g}", one["limit"], one["verdict"]]
        for one in verdicts
    ]
    return Table("Targets", ["", "measured", "asked", ""], rows)
