"""A release scored on candles it never saw: the numbers it serves, the scores and the rule it was judged by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cripto.domain.clock import parse_time
from cripto.domain.interval import parse_interval
from cripto.domain.manifest import Manifest
from cripto.domain.ranges import LEVELS
from cripto.errors import InvalidInput
from cripto.forecasting.release import LoadedRelease
from cripto.market.identity import RENAMES
from cripto.training.dataset import Dataset, free_prices, labelled_rows
from cripto.training.leaks import miracles
from cripto.training.scores import Evaluation, evaluate, rows_of_parts
from cripto.training.scores.payoff import FEE
from cripto.training.scores.reference import Reference, season_of
from cripto.training.scores.regimes import LOUDNESS_CANDLES, MARKET_DAYS
from cripto.training.verdict import PARTS

__all__ = ["GROUPS", "Seen", "UnseenScores", "predicted", "score_unseen", "seen_by"]

GROUPS: Final = ("known assets, later", "new assets, later", "new assets, earlier")
"""Rows after the last one trained on, of assets trained on or not; and of others, in the time trained on."""

_KNOWN_LATER, _NEW_LATER, _NEW_EARLIER = range(3)
_ROWS_AT_ONCE: Final = 16_384
_CANDLES_AT_ONCE: Final = 200_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What a release was trained on: rows up to ``last`` (UTC open) of ``assets``."""

    last: datetime
    assets: frozenset[str]

    def context(self, manifest: Manifest) -> datetime:
        """From when on candles are needed, to score what opened after ``last``: features and regimes look back."""
        interval = parse_interval(manifest.interval)
        candles = max(LOUDNESS_CANDLES, season_of(interval)) + manifest.features.lookback
        return self.last - max(interval.step * candles, timedelta(days=MARKET_DAYS) + interval.step)


@dataclass(frozen=True, slots=True)
class UnseenScores:
    """The evaluation, and of which rows: ``rows`` scored by group, ``trained_on`` left out.

    ``new_assets`` are those that the release was not trained on. ``warnings`` are what a reader must know.
    """

    evaluation: Evaluation
    rows: Mapping[str, int]
    trained_on: int
    new_assets: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON values, in the form of a release's own evaluation."""
        return {
            "kind": "unseen candles",
            "groups": dict(self.rows),
            "left_out": {"trained_on": self.trained_on},
            "new_assets": list(self.new_assets),
            "warnings": list(self.warnings),
            **self.evaluation.to_json(),
        }


def seen_by(manifest: Manifest) -> Seen:
    """What the release says it was trained on; raise `InvalidInput` if it does not say."""
    try:
        assets = frozenset(manifest.training["assets"])
        # a coin that was renamed since is the same coin
        renamed = {RENAMES[name] for name in assets if name in RENAMES}
        return Seen(parse_time(manifest.training["last"]), assets | renamed)
    except (KeyError, TypeError, ValueError, InvalidInput):
        raise InvalidInput(f"release {manifest.release} does not say on which candles it was trained") from None


def score_unseen(
    manifest: Manifest,
    release: LoadedRelease,
    candles: pl.DataFrame,
    seed: int,
    fee: float = FEE,
    earlier: bool = True,
    report: Callable[[int, int], None] | None = None,
) -> UnseenScores:
    """Score ``release`` on those rows of ``candles`` (one series per symbol) that it was not trained on.

    A row is one candle with features and a next candle, of an asset with `free_prices`. Rows of an asset it was
    trained on count from the one after its last training row; rows of other assets all count, or, unless
    ``earlier``, those after that row.
    Features of a few assets are held at a time. ``report`` hears how many assets are done.

    Raises `InvalidInput` when nothing is left, or the release does not say what it was trained on, and
    `ModelRefused` for a model that fails or says what is no number.
    """
    seen, interval = seen_by(manifest), parse_interval(manifest.interval)
    candles = free_prices(candles)
    tables = list(predicted(release, candles, report or (lambda *_: None)))
    rows = pl.concat(tables).sort("time", "symbol") if tables else None
    if rows is None or rows.is_empty():
        raise InvalidInput(
            f"none of {len(candles)} candles has features and a next candle:"
            f" {manifest.features.lookback + 1} without a gap are needed"
        )
    dataset = Dataset(
        names=(),
        features=np.empty((len(rows), 0)),
        log_return=rows["log_return"].to_numpy(),
        time=rows["time"].dt.replace_time_zone(None).to_numpy(),
        symbol=rows["symbol"],
    )
    group, trained_on = _groups(dataset, seen)
    if not earlier:
        group[group == _NEW_EARLIER] = -1
    chosen = group >= 0
    if not chosen.any():
        raise InvalidInput(
            f"release {manifest.release} was trained on all of the {trained_on} rows there are;"
            f" its last one opened {seen.last.isoformat()}"
        )
    scored = rows_of_parts(
        dataset,
        chosen,
        {model.name: rows[model.name].to_numpy() for model in release.models},
        _reference(manifest),
        PARTS,
        interval,
        GROUPS,
        group,
        _half_widths(release, rows),
    )
    evaluation = evaluate(scored, seed, fee)
    counts = np.bincount(group[chosen], minlength=len(GROUPS)).tolist()
    return UnseenScores(
        evaluation=evaluation,
        rows=dict(zip(GROUPS, counts, strict=True)),
        trained_on=trained_on,
        new_assets=tuple(sorted(set(scored.symbol.unique().to_list()) - seen.assets)),
        warnings=tuple(_warnings(evaluation, counts, _reference(manifest))),
    )


def predicted(
    release: LoadedRelease, candles: pl.DataFrame, report: Callable[[int, int], None]
) -> Iterator[pl.DataFrame]:
    """Symbol, time, log return and what each model says, of every row, some assets at a time."""
    sizes = candles.group_by("symbol").len().sort("symbol")
    done, total = 0, len(sizes)
    report(0, total)
    names = release.features.names
    for symbols in _batches(sizes):
        rows = labelled_rows(candles.filter(pl.col("symbol").is_in(symbols)), release.features, release.interval)
        parts = []
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            matrix = np.ascontiguousarray(part.select(names).to_numpy())
            told = dict(release.predict(matrix))
            for name, widths in release.half_widths(matrix).items():
                told |= {_width_column(name, level): width for level, width in zip(LEVELS, widths, strict=True)}
            parts.append(
                part.select("symbol", "time", "log_return").with_columns(
                    pl.Series(name, values, pl.Float64) for name, values in told.items()
                )
            )
        if parts:
            yield pl.concat(parts)
        done += len(symbols)
        report(done, total)


def _width_column(name: str, level: float) -> str:
    return f"{name} {level}"


def _half_widths(release: LoadedRelease, rows: pl.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Half widths of the ranges of all rows by regressor that has any, float64 (levels, rows)."""
    return {
        model.name: np.vstack([rows[_width_column(model.name, level)].to_numpy() for level in LEVELS])
        for model in release.models
        if _width_column(model.name, LEVELS[0]) in rows.columns
    }


def _batches(sizes: pl.DataFrame) -> Iterator[list[str]]:
    batch: list[str] = []
    held = 0
    for symbol, count in sizes.iter_rows():
        if batch and held + count > _CANDLES_AT_ONCE:
            yield batch
            batch, held = [], 0
        batch.append(symbol)
        held += count
    if batch:
        yield batch


def _groups(dataset: Dataset, seen: Seen) -> tuple[NDArray[np.int64], int]:
    """Each row's place in `GROUPS`, -1 for those trained on; and how many these are."""
    known = dataset.symbol.cast(pl.String).is_in(list(seen.assets)).to_numpy()
    last = np.datetime64(seen.last.replace(tzinfo=None), "us")
    later = dataset.time > last
    group = np.select(
        [known & later, ~known & later, ~known],
        [_KNOWN_LATER, _NEW_LATER, _NEW_EARLIER],
        default=-1,
    ).astype(np.int64)
    return group, int((group < 0).sum())


def _reference(manifest: Manifest) -> Reference | None:
    try:
        return Reference.from_json(manifest.training["reference"])
    except (KeyError, TypeError, ValueError):
        return None


def _warnings(evaluation: Evaluation, counts: list[int], reference: Reference | None) -> Iterator[str]:
    if counts[_NEW_EARLIER]:
        yield (
            f"{counts[_NEW_EARLIER]} rows of new assets lie in the time the release was trained on: coins move"
            " together, so it knows something of them"
        )
    if reference is None:
        yield "the release does not tell its drift and base rate: these baselines are wanting"
    yield from miracles(evaluation.models)
