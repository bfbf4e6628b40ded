"""Writes the golden table again: ``python -m tests.golden.features.regenerate``, after a deliberate change only.

The candles are invented by whole-number arithmetic, prices in cents: no random generator and no library can change
them. They are committed beside the features, so that a change of either file shows in a review.
"""

from datetime import timedelta
from pathlib import Path

import polars as pl

from cripto.domain.interval import INTERVALS
from cripto.features import build_features, default_spec
from tests.doubles.candles import START

__all__ = ["CANDLES", "FEATURES", "INTERVAL", "invented", "main"]

FOLDER = Path(__file__).parent
CANDLES = FOLDER / "candles.csv"
FEATURES = FOLDER / "features.csv"
INTERVAL = INTERVALS["4h"]
COUNT = 65


def invented() -> pl.DataFrame:
    """Two series of 65 candles; one of them has flat bars, no volume for a while, and a missing candle."""
    state, rows = 20_250_729, []

    def below(limit: int) -> int:
        nonlocal state
        state = (state * 1_103_515_245 + 12_345) % 2**31
        return (state >> 8) % limit

    for symbol, cents in (("AAA", 4_500_000), ("ZZZ", 3_137)):
        for place in range(COUNT):
            opening = cents
            still = symbol == "ZZZ" and 40 <= place < 45
            if not still:
                cents += (below(601) - 300) * cents // 10_000
            high = max(opening, cents) + (0 if still else below(100) * cents // 10_000)
            low = min(opening, cents) - (0 if still else below(100) * cents // 10_000)
            traded = 0 if still else 1 + below(1_000_000)
            prices = (price / 100 for price in (opening, high, low, cents))
            if symbol == "AAA" or place != 1:
                rows.append((symbol, START + place * timedelta(seconds=INTERVAL.seconds), *prices, traded / 1000))
    columns = ["symbol", "time", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        pl.col("time").cast(pl.Datetime("us", "UTC"))
    )


def main() -> None:
    candles = invented()
    candles.write_csv(CANDLES)
    complete = build_features(candles, default_spec(), INTERVAL).drop_nulls()
    complete.write_csv(FEATURES)


if __name__ == "__main__":
    main()
