"""What was worked out because somebody asked: as much as is worth keeping, the longest unasked dropped first."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from threading import Lock
from typing import Generic, TypeVar

from cripto.errors import UnknownAsset

__all__ = ["Recent", "UnknownAssets"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_UNKNOWN_KEPT = 1024
_NEAREST = 3
_LIKENESS = 50
"""Of 100, by insertions and deletions: three of four letters in common are enough, one of three is not."""


class Recent(Generic[K, V]):
    """At most ``size`` values by key. Safe to share between threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value kept under ``key``, which is dropped last from now on."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        """Keep ``value``, and drop the one that nobody asked for for longest if there are too many."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def items(self) -> list[tuple[K, V]]:
        """All of them, the longest unasked first."""
        with self._lock:
            return list(self._values.items())

    def __len__(self) -> int:
        return len(self._values)


class UnknownAssets:
    """Refusals of assets that are not ``known``, each with its nearest neighbours, looked for once."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = sorted(known)
        self._refusals: Recent[str, UnknownAsset] = Recent(_UNKNOWN_KEPT)

    def refusal(self, asset: str) -> UnknownAsset:
        """What an upper-case symbol nobody has candles of is told."""
        refusal = self._refusals.get(asset)
        if refusal is None:
            from rapidfuzz import fuzz, process  # most servers start without anybody asking amiss

            found = process.extract(asset, self._known, scorer=fuzz.ratio, limit=_NEAREST, score_cutoff=_LIKENESS)
            refusal = UnknownAsset(asset, tuple(symbol for symbol, _, _ in found))
            self._refusals.put(asset, refusal)
        return refusal

    def __len__(self) -> int:
        return len(self._refusals)
