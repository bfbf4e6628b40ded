"""The values of a file's columns: times, numbers, symbols and quotes."""

import polars as pl

from cripto.errors import InvalidInput

__all__ = ["number", "split_symbols", "text", "utc_time"]

_TIME = pl.Datetime("us", "UTC")
_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%d %I:%M %p",
)
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_NUMBER = r"^[+-]?\d{9,20}(\.\d+)?$"
# Quotes that may be cut off the end of a symbol without a separator. No coin that others are made of (WBTC,
# STETH).
_QUOTES = ("FDUSD", "BUSD", "TUSD", "USDT", "USDC", "USD", "EUR", "BRL", "GBP")
_COINS = {*_QUOTES, "PYUSD", "GUSD", "SUSD", "LUSD", "CUSD", "USDD"}


def text(values: pl.Series) -> pl.Series:
    """Trimmed text; null where there is none."""
    trimmed = values.cast(pl.String).str.strip_chars()
    return trimmed.set(trimmed == "", None)


def number(values: pl.Series) -> pl.Series:
    """Floats; null where the value is missing or no number. Raises `InvalidInput` for a type that holds none."""
    if values.dtype == pl.String:
        return values.str.strip_chars().cast(pl.Float64, strict=False)
    if values.dtype.is_numeric():
        return values.cast(pl.Float64, strict=False)
    if values.dtype == pl.Null:
        return values.cast(pl.Float64)
    raise InvalidInput(f"column {values.name!r} holds {values.dtype}, not numbers")


def utc_time(values: pl.Series) -> pl.Series:
    """UTC times to the microsecond; null where the value is missing or no time.

    Reads Unix times in seconds, milli-, micro- or nanoseconds (told apart by size), dates, and ISO 8601 with or
    without an offset; a time that names no zone is UTC. Days before months are not guessed at.
    """
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        zoned = (
            values.dt.replace_time_zone("UTC") if kind.time_zone is None else values.dt.convert_time_zone("UTC")
        )
        return zoned.cast(_TIME)
    if kind == pl.Date:
        return values.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if kind.is_numeric():
        return _from_unix(values.cast(pl.Float64))
    if kind in {pl.String, pl.Null}:
        return _from_text(values.cast(pl.String))
    raise InvalidInput(f"column {values.name!r} holds {kind}, not times")


def _from_unix(values: pl.Series) -> pl.Series:
    size = pl.col("t").abs()
    scale = pl.when(size < 1e11).then(1e6).when(size < 1e14).then(1e3).when(size < 1e17).then(1.0).otherwise(1e-3)
    # Beyond the year 9999 there is no time, but polars would count on.
    known = pl.when(pl.col("t").is_finite() & (size < 2.5e20)).then(pl.col("t"))
    frame = pl.DataFrame({"t": values}).select(t=(known * scale).round().cast(pl.Int64, strict=False).cast(_TIME))
    return frame["t"]


def _from_text(values: pl.Series) -> pl.Series:
    found = values.str.strip_chars()
    if bool(found.str.contains(_NUMBER).any()):
        numbers = _from_unix(found.set(~found.str.contains(_NUMBER), None).cast(pl.Float64, strict=False))
    else:
        numbers = pl.Series([None], dtype=_TIME).new_from_index(0, found.len())
    plain = pl.col("t").str.replace("T", " ", literal=True).str.replace(r"( ?(Z|UTC|[+-]00:?00))$", "")
    plain = plain.str.replace(r" (\d\d)-([AP]M)$", " ${1}:00 ${2}")
    whole = [plain.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in _FORMATS]
    days = [
        plain.str.to_date(form, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        for form in _DATES
    ]
    offset = (
        pl.col("t")
        .str.replace("T", " ", literal=True)
        .str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
    )
    frame = pl.DataFrame({"t": found, "n": numbers})
    return frame.select(t=pl.coalesce(pl.col("n"), *whole, *days, offset.cast(_TIME)))["t"]


def split_symbols(symbols: pl.Series, *, glued: bool) -> pl.DataFrame:
    """Columns ``symbol`` and ``quote`` (null where the text says none), in capitals.

    ``BTC/USDT``, ``BTC-USD`` and ``BTC_BRL`` are split row by row. ``BTCUSDT`` is split only where ``glued``
    allows it and if every symbol of the file ends in a well-known quote with two letters or more before it: else
    it may just be a name that ends so.
    """
    frame = pl.DataFrame({"symbol": symbols.str.to_uppercase()})
    parts = pl.col("symbol").str.extract_groups(r"^([A-Z0-9]+)[/_:\-]([A-Z0-9]+)$")
    frame = frame.with_columns(base=parts.struct[0], quote=parts.struct[1])
    frame = frame.select(symbol=pl.coalesce("base", "symbol"), quote="quote")
    if not glued or frame["quote"].null_count() < frame.height:
        return frame
    known = frame["symbol"].drop_nulls().unique()
    pattern = rf"^([A-Z0-9]{{2,}}?)({'|'.join(_QUOTES)})$"
    if known.is_empty() or not known.str.contains(pattern).all() or not _COINS.isdisjoint(known):
        return frame
    return frame.select(
        symbol=pl.col("symbol").str.extract(pattern, 1), quote=pl.col("symbol").str.extract(pattern, 2)
    )
