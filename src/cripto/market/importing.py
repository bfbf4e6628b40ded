"""Candles from files into the lake: read, validated, upserted, reported."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from cripto.domain.asset import parse_asset, parse_quote
from cripto.domain.candle import CANDLE_COLUMNS
from cripto.domain.clock import rfc3339
from cripto.domain.interval import INTERVALS, Interval, infer_interval, parse_interval
from cripto.errors import InvalidInput
from cripto.market._files import read_candle_file
from cripto.market.identity import listed_asset, normalised
from cripto.market.lake import CandleLake, Upsert
from cripto.market.schema import sorted_by
from cripto.market.validation import Validation, validate

__all__ = ["ImportReport", "import_file"]

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of one file.

    ``quarantine`` has one row per row and rule broken (``cripto.market.validation.QUARANTINE_SCHEMA``); ``row`` is
    the line of a text file, or the row of a Parquet file, the first being 1. ``quarantined`` counts rows,
    ``rules`` rows by rule, ``notices`` rows that were kept although something was remarked. ``interval`` is
    ``None`` where no row could be read and none was given. ``multiples`` are the file's names for a number of
    coins, with the coin and the number; all else is told of the coin.
    """

    file: str
    interval: str | None
    rows: int
    accepted: int
    quarantined: int
    rules: Mapping[str, int]
    notices: Mapping[str, int]
    quarantine: pl.DataFrame
    gaps: pl.DataFrame
    symbols: tuple[str, ...]
    first: datetime | None
    last: datetime | None
    upsert: Upsert
    multiples: Mapping[str, tuple[str, int]]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; of quarantine and gaps only the first rows."""
        examples = [
            {
                "row": row["row"],
                "rule": row["rule"],
                "symbol": row["symbol"],
                "time": rfc3339(row["time"]) if row["time"] is not None else None,
                "detail": row["detail"],
            }
            for row in self.quarantine.head(_EXAMPLES).iter_rows(named=True)
        ]
        gaps = [
            {
                "symbol": gap["symbol"],
                "quote": gap["quote"],
                "after": rfc3339(gap["after"]),
                "before": rfc3339(gap["before"]),
                "missing": gap["missing"],
            }
            for gap in self.gaps.sort("missing", descending=True, maintain_order=True)
            .head(_EXAMPLES)
            .iter_rows(named=True)
        ]
        return {
            "file": self.file,
            "interval": self.interval,
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "rules": dict(self.rules),
            "notices": dict(self.notices),
            "inserted": self.upsert.inserted,
            "updated": self.upsert.updated,
            "unchanged": self.upsert.unchanged,
            "version": self.upsert.version,
            "symbols": list(self.symbols),
            "multiples": {
                name: {"symbol": coin, "factor": factor} for name, (coin, factor) in self.multiples.items()
            },
            "first": rfc3339(self.first) if self.first else None,
            "last": rfc3339(self.last) if self.last else None,
            "gaps": {"count": self.gaps.height, "missing": int(self.gaps["missing"].sum()), "longest": gaps},
            "examples": examples,
        }


def import_file(
    path: Path,
    lake: CandleLake,
    *,
    now: datetime,
    interval: Interval | None = None,
    quote: str | None = None,
    default_quote: str = "USDT",
    source: str | None = None,
    symbol: str | None = None,
) -> ImportReport:
    """Upsert the good rows of a CSV or Parquet file of candles of one interval and report on all of them.

    ``now`` (UTC) tells closed candles from open ones. The interval is the commonest spacing of the file's candles
    unless given or named in the file. ``quote``, ``source`` and ``symbol`` fill in for a file that does not say;
    else the quote is ``default_quote`` and the source the file's name. Importing a file twice changes nothing.
    Multiples (1000SATS) become the coin, as they do where an exchange lists them.

    Raises `InvalidInput`, before anything is written, for a file that cannot be used at all, or that holds a coin
    under two such names; and what the lake raises.
    """
    contents = read_candle_file(path)
    if contents.rows == 0:
        raise InvalidInput(f"{path}: the file holds no candles")
    step, candles, refused = interval, contents.candles, _printable(contents.refused)
    multiples: Mapping[str, tuple[str, int]] = {}
    if not candles.is_empty():
        candles = _filled(candles, path, quote or default_quote, source or path.name, symbol)
        candles, multiples = _of_coins(candles, path)
        try:
            step = interval or _named_interval(candles) or _spacing(candles)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: {error}{_first_of(refused)}") from error
        candles = candles.with_columns(interval=pl.lit(step.name))
    # where no row can be read there is no spacing either, and nothing that rules could be held against
    validation = validate(candles, step or INTERVALS["1d"], now)
    upsert = lake.upsert(validation.accepted) if validation.accepted.height else Upsert(0, 0, 0, lake.version())
    quarantine = pl.concat([refused, _printable(validation.quarantine)]).sort("row", maintain_order=True)
    return _report(path, step, contents.rows, validation, quarantine, upsert, multiples)


def _report(
    path: Path,
    step: Interval | None,
    rows: int,
    validation: Validation,
    quarantine: pl.DataFrame,
    upsert: Upsert,
    multiples: Mapping[str, tuple[str, int]],
) -> ImportReport:
    accepted = validation.accepted
    span = accepted.select(first=pl.col("time").min(), last=pl.col("time").max()).row(0)
    return ImportReport(
        file=path.name,
        interval=None if step is None else step.name,
        rows=rows,
        accepted=accepted.height,
        quarantined=quarantine["row"].n_unique(),
        rules=dict(quarantine.group_by("rule").len().sort("rule").iter_rows()),
        notices=validation.notices,
        quarantine=quarantine,
        gaps=validation.gaps,
        symbols=tuple(sorted(accepted["symbol"].unique())),
        first=span[0],
        last=span[1],
        upsert=upsert,
        multiples=multiples,
    )


def _printable(quarantine: pl.DataFrame) -> pl.DataFrame:
    """The rows without control characters: what a file says gets onto terminals."""
    return quarantine.with_columns(pl.col("symbol", "quote", "detail").str.replace_all(r"\p{C}", "?"))


def _first_of(refused: pl.DataFrame) -> str:
    """What is wrong with the first row that cannot be read, to go behind a reason that may follow from it."""
    if refused.is_empty():
        return ""
    row = refused.sort("row").row(0, named=True)
    count = refused["row"].n_unique()
    return f"; {count} rows cannot be read, first row {row['row']}: {row['rule']}: {row['detail']}"


def _filled(candles: pl.DataFrame, path: Path, quote: str, source: str, symbol: str | None) -> pl.DataFrame:
    """Fill in what the file does not say, and write symbols in capitals."""
    if candles["symbol"].null_count() == candles.height:
        if symbol is None:
            raise InvalidInput(f"{path}: no column names the asset: give its symbol (--symbol)")
        candles = candles.with_columns(symbol=pl.lit(parse_asset(symbol)))
    return candles.with_columns(
        pl.col("symbol").str.to_uppercase(),
        pl.col("quote").fill_null(parse_quote(quote)),
        pl.col("source").fill_null(source),
    ).select("row", *CANDLE_COLUMNS)


def _of_coins(candles: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, Mapping[str, tuple[str, int]]]:
    """The rows as candles of coins, in their order, and the names that stood for a number of them."""
    pairs = candles.select("symbol", "quote").drop_nulls().unique().sort("symbol", "quote").rows()
    multiples = {name: found for name, _ in pairs if (found := listed_asset(name))[1] != 1}
    if not multiples:
        return candles, multiples
    held: dict[tuple[str, str], str] = {}
    for name, quote in pairs:
        other = held.setdefault((listed_asset(name)[0], quote), name)
        if other != name:
            raise InvalidInput(f"{path}: {other} and {name} are one coin: import a file of one of them")
    named = pl.col("symbol").is_in(list(multiples)).fill_null(False)
    parts = [normalised(candles.filter(symbol=name), *found) for name, found in multiples.items()]
    return pl.concat([candles.filter(~named), *parts]).sort("row"), multiples


def _named_interval(candles: pl.DataFrame) -> Interval | None:
    """The interval the file itself names, if it does."""
    names = candles["interval"].drop_nulls().unique().sort().to_list()
    if len(names) > 1:
        raise InvalidInput(f"the file holds several intervals ({', '.join(names[:5])}): import them one by one")
    return parse_interval(names[0]) if names else None


def _spacing(candles: pl.DataFrame) -> Interval:
    """The interval whose length is the commonest spacing of candles within a series."""
    times = sorted_by(candles.select("symbol", "quote", "time").drop_nulls(), "symbol", "quote", "time")
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in ("symbol", "quote"))
    steps = times.select(step=pl.col("time").diff(), same=same).filter("same", pl.col("step") > timedelta(0))
    common = steps.group_by("step").len().sort("len", "step", descending=[True, False])
    if common.is_empty():
        return infer_interval([])
    start = times["time"][0]
    return infer_interval([start, start + common["step"][0]])
