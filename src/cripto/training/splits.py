"""Cutting rows by time, so that nothing a model is scored on could have been known when it was fitted."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cripto.domain.clock import rfc3339
from cripto.domain.interval import Interval
from cripto.errors import TrainingRefused
from cripto.training.targets import HORIZON

__all__ = ["EMBARGO", "MINIMUM_ROWS", "HoldOut", "hold_out", "to_datetime"]

EMBARGO: Final = HORIZON
"""Candles left out between the last training row and the hold-out; the horizon at least."""

MINIMUM_ROWS: Final = 200
"""Fewer rows with features and target than this cannot be cut into two parts that mean anything."""

_SHARE_OF_TIME: Final = 0.2
_SHARES_OF_ROWS: Final = (0.1, 0.5)


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Where rows sorted by time are cut: rows ``[:train_rows]`` are fitted on, ``[start:]`` are scored on.

    Times are the UTC opens of first and last row of each part. The target of a row that opens at ``t`` closes at
    ``t + 2`` steps; that of every training row does so no later than ``first_test`` opens, so before any
    hold-out row's features are known.
    """

    train_rows: int
    start: int
    test_rows: int
    embargo: int
    first_train: datetime
    last_train: datetime
    first_test: datetime
    last_test: datetime

    @property
    def train(self) -> slice:
        """The rows to fit on."""
        return slice(0, self.train_rows)

    @property
    def test(self) -> slice:
        """The rows to score on."""
        return slice(self.start, self.start + self.test_rows)

    def to_json(self) -> dict[str, Any]:
        """The cut as JSON values, as it stands in the manifest."""
        return {
            "embargo_candles": self.embargo,
            "train": {
                "rows": self.train_rows,
                "first": rfc3339(self.first_train),
                "last": rfc3339(self.last_train),
            },
            "test": {"rows": self.test_rows, "first": rfc3339(self.first_test), "last": rfc3339(self.last_test)},
        }


def hold_out(time: NDArray[np.datetime64], interval: Interval, embargo: int = EMBARGO) -> HoldOut:
    """Cut off the last fifth of the *time* that ``time`` (sorted UTC opens, one per row) spans.

    Where assets were listed late, a fifth of the time holds most rows, and where they were delisted hardly any:
    the cut is moved until the hold-out has between a tenth and half of them. Rows of one time are never parted.
    Raises `TrainingRefused`, with the numbers, when there are too few rows.
    """
    rows = len(time)
    if rows < MINIMUM_ROWS:
        raise TrainingRefused(f"{rows} rows have features and a next candle; at least {MINIMUM_ROWS} are needed")
    cut = time[-1] - (time[-1] - time[0]) * _SHARE_OF_TIME
    fewest, most = _SHARES_OF_ROWS
    around = np.clip(np.searchsorted(time, cut), int(rows * (1 - most)), int(rows * (1 - fewest)))
    first_test = time[around]
    start = int(np.searchsorted(time, first_test))
    step = np.timedelta64(interval.seconds, "s")
    train_rows = int(np.searchsorted(time, first_test - step * (max(embargo, HORIZON) + 1), side="right"))
    if train_rows < MINIMUM_ROWS // 2:
        raise TrainingRefused(
            f"only {train_rows} of {rows} rows lie before the hold-out; at least {MINIMUM_ROWS // 2} are needed"
        )
    return HoldOut(
        train_rows=train_rows,
        start=start,
        test_rows=rows - start,
        embargo=max(embargo, HORIZON),
        first_train=to_datetime(time[0]),
        last_train=to_datetime(time[train_rows - 1]),
        first_test=to_datetime(first_test),
        last_test=to_datetime(time[-1]),
    )


def to_datetime(time: np.datetime64) -> datetime:
    """A numpy UTC time as a UTC-aware ``datetime``."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        microseconds=int(time.astype("datetime64[us]").astype(np.int64))
    )
