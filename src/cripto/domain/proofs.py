"""What was proven of a release before it was published: as it stands in its manifest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cripto.domain._numbers import field
from cripto.domain.clock import parse_time, rfc3339
from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import InvalidInput

__all__ = ["Determinism", "ForecastsAhead", "LookAhead", "Proofs", "WarmUp"]

_MOST: Final = 10**12
_MOST_CUTS: Final = 1000
_LONGEST_TEXT: Final = 500
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LookAhead:
    """What was compared, bit for bit, and found equal: ``rows`` rows of ``features`` features and of targets.

    ``cuts`` are the closes (UTC) after which candles were taken away, and then replaced by others.
    """

    cuts: tuple[datetime, ...]
    assets: int
    rows: int
    features: int

    def __post_init__(self) -> None:
        """Hold counts to what can be counted."""
        _check_counts(self.assets, self.rows, self.features)
        if len(self.cuts) > _MOST_CUTS:
            raise InvalidInput(f"a look-ahead proof has {_MOST_CUTS} cuts at most")

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON values."""
        return {
            "cuts": [rfc3339(cut) for cut in self.cuts],
            "assets": self.assets,
            "rows": self.rows,
            "features": self.features,
        }

    @classmethod
    def from_json(cls, value: Any) -> "LookAhead":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        cuts = field(value, "cuts", "look-ahead proof")
        if not isinstance(cuts, list):
            raise InvalidInput("the cuts of a look-ahead proof are no list")
        return cls(
            tuple(parse_time(cut) for cut in cuts),
            *(field(value, name, "look-ahead proof") for name in ("assets", "rows", "features")),
        )


@dataclass(frozen=True, slots=True)
class ForecastsAhead:
    """The same of all assets and of forecasts: every candle after ``cut`` (a close, UTC) was taken away.

    Features and targets of the ``known`` rows before it stayed the same bits. So did what each of ``models``
    models, fitted again for the walk-forward's fold ``fold`` on those rows alone, says of ``rows`` rows that it
    was not fitted on, and what is served of them.
    """

    cut: datetime
    known: int
    fold: int
    models: int
    rows: int

    def __post_init__(self) -> None:
        """Hold counts to what can be counted."""
        _check_counts(self.known, self.fold, self.models, self.rows)

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON values."""
        return {
            "cut": rfc3339(self.cut),
            "known": self.known,
            "fold": self.fold,
            "models": self.models,
            "rows": self.rows,
        }

    @classmethod
    def from_json(cls, value: Any) -> "ForecastsAhead":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        counts = (field(value, name, "forecast proof") for name in ("known", "fold", "models", "rows"))
        return cls(parse_time(field(value, "cut", "forecast proof")), *counts)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """``rows`` rows of ``features`` features, whose last ``candles`` candles alone gave the same bits as all."""

    candles: int
    assets: int
    rows: int
    features: int

    def __post_init__(self) -> None:
        """Hold counts to what can be counted."""
        _check_counts(self.candles, self.assets, self.rows, self.features)

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON values."""
        return {"candles": self.candles, "assets": self.assets, "rows": self.rows, "features": self.features}

    @classmethod
    def from_json(cls, value: Any) -> "WarmUp":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        return cls(*(field(value, name, "warm-up proof") for name in ("candles", "assets", "rows", "features")))


@dataclass(frozen=True, slots=True)
class Determinism:
    """The SHA-256 of the files that came of doing it all again, by model name; ``how`` it was done, in words."""

    how: str
    joblib: Mapping[str, str]
    onnx: Mapping[str, str]

    def __post_init__(self) -> None:
        """Hold digests to their form and to the five models."""
        if not 0 < len(self.how) <= _LONGEST_TEXT:
            raise InvalidInput("a determinism proof does not say how it was made")
        for digests in (self.joblib, self.onnx):
            if sorted(digests) != sorted(MODEL_NAMES):
                raise InvalidInput(f"a determinism proof is of exactly {', '.join(MODEL_NAMES)}")
            if not all(_SHA256.fullmatch(item) for item in digests.values()):
                raise InvalidInput("a determinism proof has a malformed digest")

    def to_json(self) -> dict[str, Any]:
        """The proof as JSON values."""
        digests = {name: {"joblib": self.joblib[name], "onnx": self.onnx[name]} for name in MODEL_NAMES}
        return {"how": self.how, "sha256": digests}

    @classmethod
    def from_json(cls, value: Any) -> "Determinism":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        digests = field(value, "sha256", "determinism proof")
        if not isinstance(digests, Mapping):
            raise InvalidInput("the digests of a determinism proof are no object")
        joblib, onnx = (
            {name: _text(field(item, form, "determinism proof")) for name, item in digests.items()}
            for form in ("joblib", "onnx")
        )
        return cls(_text(field(value, "how", "determinism proof")), joblib, onnx)


@dataclass(frozen=True, slots=True)
class Proofs:
    """What a release needs to be promoted: see `wanting`, and docs/releases.md for what each of them proves."""

    look_ahead: LookAhead
    forecasts: ForecastsAhead
    warm_up: WarmUp
    determinism: Determinism

    def wanting(self) -> str | None:
        """What these proofs do not prove, in words; ``None`` where nothing is wanting."""
        empty = (
            ("look-ahead", self.look_ahead.rows and self.look_ahead.features and self.look_ahead.cuts),
            ("forecast", self.forecasts.known and self.forecasts.rows),
            ("warm-up", self.warm_up.rows and self.warm_up.features),
        )
        for name, compared in empty:
            if not compared:
                return f"its {name} proof compared nothing"
        if self.forecasts.models != len(MODEL_NAMES):
            return f"its forecast proof is of {self.forecasts.models} models, not {len(MODEL_NAMES)}"
        return None

    def to_json(self) -> dict[str, Any]:
        """The proofs as JSON values."""
        return {
            "look_ahead": self.look_ahead.to_json(),
            "forecasts": self.forecasts.to_json(),
            "warm_up": self.warm_up.to_json(),
            "determinism": self.determinism.to_json(),
        }

    @classmethod
    def from_json(cls, value: Any) -> "Proofs":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed or lacks one of them."""
        return cls(
            LookAhead.from_json(field(value, "look_ahead", "proofs")),
            ForecastsAhead.from_json(field(value, "forecasts", "proofs")),
            WarmUp.from_json(field(value, "warm_up", "proofs")),
            Determinism.from_json(field(value, "determinism", "proofs")),
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInput("a proof says something that is no text")
    return value


def _check_counts(*counts: Any) -> None:
    for count in counts:
        if type(count) is not int or not 0 <= count <= _MOST:
            raise InvalidInput(f"a proof counts {str(count)[:40]!r}")
