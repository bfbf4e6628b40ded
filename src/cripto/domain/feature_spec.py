"""Which features a model was fitted on, as data that travels in the release's manifest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cripto.errors import InvalidInput

__all__ = ["MAX_LOOKBACK", "Feature", "FeatureSpec"]

MAX_LOOKBACK = 100
"""No feature may look back on more candles than this."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: a kind the builder knows and its integer parameters, in the builder's order."""

    kind: str
    params: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """The column's name, derived from kind and parameters: ``return_5``, ``macd_12_26_9``."""
        return "_".join((self.kind, *map(str, self.params)))


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The ordered features of a release; ``lookback`` is how many candles, the last included, one row needs.

    ``version`` is that of the formulas behind the kinds: a builder refuses a version it does not know.
    """

    version: int
    lookback: int
    features: tuple[Feature, ...]

    def __post_init__(self) -> None:
        """Refuse what no builder could honour."""
        if not 1 <= self.lookback <= MAX_LOOKBACK:
            raise InvalidInput(f"a feature spec looks back on 1 to {MAX_LOOKBACK} candles, not {self.lookback}")
        if not self.features or len(set(self.names)) != len(self.features):
            raise InvalidInput("a feature spec names at least one feature, and none twice")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in the order the models take them."""
        return tuple(feature.name for feature in self.features)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON form: equal specs, equal digests."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values; names are written for readers and checked on the way back."""
        return {
            "version": self.version,
            "lookback": self.lookback,
            "features": [
                {"name": feature.name, "kind": feature.kind, "params": list(feature.params)}
                for feature in self.features
            ],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "FeatureSpec":
        """Read `to_json`'s form; raise `InvalidInput` if it is malformed."""
        try:
            features = tuple(
                Feature(str(item["kind"]), tuple(int(param) for param in item["params"]))
                for item in value["features"]
            )
            names = tuple(item["name"] for item in value["features"])
            spec = cls(int(value["version"]), int(value["lookback"]), features)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"malformed feature spec: {error!r}") from error
        if names != spec.names:
            raise InvalidInput("malformed feature spec: a name does not follow from its kind and parameters")
        return spec
