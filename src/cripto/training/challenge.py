"""A new release against the one that is served: on candles the latter never saw, by the rule of verdicts.

The champion says what it serves, by its compiled models and its numbers. The challenger's own models have seen
those candles, so it is represented by what it would have been: its recipes fitted on what the champion could have
known, with numbers from before. Both say something of the same rows, and losses are compared in pairs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.manifest import Manifest
from cripto.domain.model_name import tipo_of
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput, ModelRefused, ReleaseRefused, TrainingRefused, UnknownRelease
from cripto.forecasting.release import load_release
from cripto.market.identity import RENAMES
from cripto.registry import ReleaseRegistry
from cripto.training.dataset import Dataset
from cripto.training.engine import Engine
from cripto.training.scores.resampling import Floats, Resampling, day_numbers, sums_by_day
from cripto.training.served import Walk, served, together
from cripto.training.targets import rises
from cripto.training.unseen import predicted, seen_by
from cripto.training.verdict import MINIMUM_DAYS, STRICT_LEVEL
from cripto.training.walk_forward import Predictions, folds_between, out_of_fold

__all__ = ["Challenge", "Champion", "challenge", "champion_of", "compare", "compare_walks"]

_MICROSECOND: Final = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class Champion:
    """The release that is promoted, and what it serves of the candles it never saw.

    ``told`` holds ``symbol, time`` and a column of served values for each model, for rows after ``last``, the
    open (UTC) of the last one it was trained on. Where it cannot be asked, ``told`` is empty and ``silent`` says
    why.
    """

    manifest: Manifest
    last: datetime | None
    told: pl.DataFrame
    silent: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """What came of the comparison with ``current``: ``worse`` only where there is evidence of it; and why.

    ``models`` holds by name the challenger's skill against the champion, with its 99 % interval; empty where they
    could not be compared on unseen candles.
    """

    current: ReleaseVersion
    worse: bool
    reason: str
    rows: int = 0
    days: int = 0
    models: Mapping[str, Mapping[str, Any]] | None = None

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return {
            "current": str(self.current),
            "worse": self.worse,
            "reason": self.reason,
            "rows": self.rows,
            "days": self.days,
            "models": {name: dict(scores) for name, scores in (self.models or {}).items()},
        }


def champion_of(
    registry: ReleaseRegistry, interval: str, default_interval: str, candles: pl.DataFrame
) -> Champion | None:
    """The promoted release of ``interval``, asked about those of ``candles`` that it was not trained on.

    ``None`` where none is promoted, or the pointer or the manifest cannot be read. Raises what the store raises.
    """
    try:
        channel = registry.channel(interval, default_interval)
        if channel is None:
            return None
        manifest = registry.manifest(channel.release)
    except (UnknownRelease, ReleaseRefused):
        return None
    try:
        seen = seen_by(manifest)
        rows = candles.filter(pl.col("time") >= seen.context(manifest))
        release = load_release(registry, manifest.release)
        parts = [part.filter(pl.col("time") > seen.last) for part in predicted(release, rows, lambda *_: None)]
        names = [model.name for model in release.models]
        told = _nothing()
        if parts:
            told = pl.concat(parts).select(pl.col("symbol").cast(pl.String), "time", *names)
        bad = [name for name in names if name in told.columns and not told[name].is_finite().all()]
        if bad:
            return Champion(manifest, seen.last, _nothing(), f"{bad[0]} says what is no number")
        return Champion(manifest, seen.last, told)
    except (InvalidInput, ModelRefused, ReleaseRefused, UnknownRelease) as error:
        return Champion(manifest, None, _nothing(), str(error))


def challenge(
    champion: Champion,
    walk: Walk,
    metrics: Mapping[str, Mapping[str, Any]],
    engine: Engine,
    report: Callable[[int, int], None],
) -> Challenge:
    """Compare what a run would publish with the ``champion``.

    On `MINIMUM_DAYS` days or more that the champion never saw: row by row, see `compare`; with fewer, or where it
    cannot be asked, by what each scored walking forward, see `compare_walks`. ``metrics`` are the run's scores by
    model. Costs one fit of each model, and none where the walks are compared; ``report`` hears of them.
    """
    dataset = walk.dataset
    if champion.silent is not None or champion.last is None:
        mute = f"{champion.manifest.release} cannot be asked: {champion.silent}"
        return _by_walks(champion.manifest, dataset, metrics, mute)
    begins = np.datetime64(champion.last.replace(tzinfo=None), "us") + _MICROSECOND
    known = pl.DataFrame(
        {
            "symbol": dataset.symbol.cast(pl.String),
            "time": pl.Series(dataset.time).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            "row": pl.Series(np.arange(len(dataset)), dtype=pl.Int64),
        }
    )
    common = known.join(champion.told, on=["symbol", "time"], how="inner").sort("row")
    rows = common["row"].to_numpy()
    days = day_numbers(dataset.time[rows])[1]
    if days < MINIMUM_DAYS:
        few = f"{days} days that {champion.manifest.release} never saw; {MINIMUM_DAYS} are needed to compare there"
        return _by_walks(champion.manifest, dataset, metrics, few)
    try:
        told = _fitted_before(begins, walk, engine, report)
    except TrainingRefused as error:
        return _by_walks(champion.manifest, dataset, metrics, f"the time before cannot be fitted on ({error})")
    return compare(
        champion.manifest.release,
        dataset.time[rows],
        dataset.log_return[rows],
        {name: column[rows] for name, column in told.items()},
        {name: common[name].to_numpy() for name in told},
        walk.seed,
    )


def compare(
    current: ReleaseVersion,
    time: NDArray[np.datetime64],
    actual: Floats,
    new: Mapping[str, Floats],
    old: Mapping[str, Floats],
    seed: int,
) -> Challenge:
    """Compare what ``new`` and ``old`` said, by model float64 (rows,), of rows sorted by time.

    A model's skill against the old one is one minus the ratio of their losses (squared error, Brier), drawn again
    in pairs by blocks of days. Worse is a release of which one model's whole interval at `STRICT_LEVEL`, 95 %
    shared by five, lies below zero: the verdict's evidence, the other way round.
    """
    day, days = day_numbers(time)
    draws = Resampling(days, seed)
    found: dict[str, dict[str, Any]] = {}
    for name, told in new.items():
        target = actual if tipo_of(name) == "regressor" else rises(actual).astype(np.float64)
        daily = sums_by_day(day, days, [(told - target) ** 2, (old[name] - target) ** 2])
        ours, theirs = (float(total) for total in daily.sum(axis=0))
        drawn = draws.sums(daily)
        interval = skill = None
        if theirs > 0:
            skill = 1 - ours / theirs
            with np.errstate(divide="ignore", invalid="ignore"):
                interval = draws.bounds(1 - drawn[:, 0] / drawn[:, 1], STRICT_LEVEL)
        found[name] = {"skill": skill, "interval": interval, "worse": _below(interval)}
    worse = [name for name, scores in found.items() if scores["worse"]]
    where = f"on {len(time)} rows, {days} days that {current} never saw"
    if worse:
        reason = f"worse than {current} {where}: {'; '.join(_said(name, found[name]) for name in worse)}"
    else:
        reason = f"not worse than {current} {where}"
    return Challenge(current, bool(worse), reason, len(time), days, found)


def compare_walks(
    current: Manifest, assets: frozenset[str], metrics: Mapping[str, Mapping[str, Any]]
) -> tuple[bool | None, str]:
    """Whether a release of these scores, walking forward, is worse than ``current``, and why; ``None``: unknown.

    Each scored on its own rows, so only the same assets are compared, a renamed one by its new name, and it takes
    one model's whole interval of skill at `STRICT_LEVEL` below the whole one of its forerunner's.
    """
    told = {model.name: _interval_of(model.metrics) for model in current.models}
    theirs_assets = current.training.get("assets")
    if not isinstance(theirs_assets, Mapping) or _coins(theirs_assets) != _coins(assets):
        return None, f"not compared with {current.release}, which was scored on other assets"
    if any(interval is None for interval in told.values()):
        return None, f"not compared with {current.release}, which tells no intervals"
    new = {name: _interval_of(scores) for name, scores in metrics.items()}
    if all(interval is None for interval in new.values()):
        return None, f"not compared with {current.release}, since the new release has no intervals"
    worse = []
    for name, ours in new.items():
        theirs = told[name]
        if ours is not None and theirs is not None and ours[1] < theirs[0]:
            worse.append(f"{name} {ours[0]:+.4f} to {ours[1]:+.4f} against {theirs[0]:+.4f} to {theirs[1]:+.4f}")
    if worse:
        return True, f"worse than {current.release} walking forward: skill of {'; '.join(worse)}"
    return False, f"not worse than {current.release} walking forward"


def _by_walks(
    current: Manifest, dataset: Dataset, metrics: Mapping[str, Mapping[str, Any]], why: str
) -> Challenge:
    assets = frozenset(dataset.symbol.cast(pl.String).unique().to_list())
    worse, reason = compare_walks(current, assets, metrics)
    return Challenge(current.release, bool(worse), f"{reason} ({why})")


def _coins(assets: Iterable[str]) -> frozenset[str]:
    return frozenset(RENAMES.get(name, name) for name in assets)


def _interval_of(scores: Mapping[str, Any]) -> tuple[float, float] | None:
    """The strict interval of a model's skill; ``None`` where there is none, or a manifest holds what is none."""
    try:
        low, high = map(float, scores["verdict_interval"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return low, high


def _fitted_before(
    begins: np.datetime64, walk: Walk, engine: Engine, report: Callable[[int, int], None]
) -> dict[str, Floats]:
    """What would be served of every row from ``begins`` on by models and numbers from before; NaN elsewhere."""
    dataset = walk.dataset
    edges = np.array([begins, dataset.time[-1].astype("datetime64[us]") + _MICROSECOND])
    (fold,) = folds_between(dataset.time, walk.interval, edges)
    told = out_of_fold(walk.recipes, dataset, (fold,), walk.seed, engine, report)
    raw = together(walk.predictions, walk.earlier)
    values = {name: np.where(told.tested, column, raw[name]) for name, column in told.values.items()}
    tested = np.isfinite(next(iter(values.values()))).astype(np.int64)
    found = served(dataset, Predictions((fold,), tested, values), None)
    return {name: np.where(told.tested, column, np.nan) for name, column in found.predictions.values.items()}


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"symbol": pl.String, "time": pl.Datetime("us", "UTC")})


def _below(interval: list[float] | None) -> bool:
    return interval is not None and interval[1] < 0


def _said(name: str, scores: Mapping[str, Any]) -> str:
    low, high = scores["interval"]
    return (
        f"skill of {name} against it {scores['skill']:+.4f}, {STRICT_LEVEL:.0%} interval {low:+.4f} to {high:+.4f}"
    )
