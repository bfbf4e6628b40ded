"""Symbols that look like one that is not known, found without comparing it in full with each of thousands."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from heapq import nlargest

import numpy as np

__all__ = ["Neighbours"]

_CUTOFF = 0.5


class Neighbours:
    """What `cripto.domain.asset.nearest_symbols` finds among ``symbols``, in a fraction of the time.

    Two symbols are no more alike than the letters they have in common in the same order make them. How many those
    are is found for all symbols at once, a bit for each letter of the asset (Hyyrö, 2004), and only the most
    promising are compared in full, until no other can be better.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = symbols
        self._lengths = np.array([len(symbol) for symbol in symbols], dtype=np.intp)
        longest = max(map(len, symbols), default=0)
        padded = "".join(symbol.ljust(longest, "\0") for symbol in symbols)
        letters = np.frombuffer(padded.encode("ascii", "replace"), dtype=np.uint8)
        # one row for each place in a symbol, so that a step below reads what lies together
        self._letters = np.ascontiguousarray(letters.reshape(len(symbols), longest).T)

    def nearest(self, asset: str, limit: int = 3) -> tuple[str, ...]:
        """Up to ``limit`` symbols that look like ``asset`` (1 to 20 letters or digits), best first."""
        bounds = 2.0 * self._common(asset) / (self._lengths + len(asset))
        places = np.flatnonzero(bounds >= _CUTOFF)
        matcher = SequenceMatcher(b=asset)
        best: list[tuple[float, str]] = []
        for place in places[np.argsort(-bounds[places], kind="stable")]:
            if len(best) == limit and bounds[place] < best[-1][0]:
                break
            matcher.set_seq1(self._symbols[place])
            ratio = matcher.ratio()
            if ratio >= _CUTOFF:
                best = nlargest(limit, [*best, (ratio, self._symbols[place])])
        return tuple(symbol for _, symbol in best)

    def _common(self, asset: str) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
        """The length of the longest common subsequence of ``asset`` and each symbol, shape (symbols,)."""
        wanted = np.zeros(256, dtype=np.uint32)
        for place, letter in enumerate(asset.encode("ascii")):
            wanted[letter] |= 1 << place
        left = np.full(len(self._symbols), (1 << len(asset)) - 1, dtype=np.uint32)
        for letters in self._letters:
            found = left & wanted[letters]
            left = (left + found) | (left - found)
        common: np.ndarray[tuple[int], np.dtype[np.uint8]] = np.bitwise_count(
            ~left & np.uint32((1 << len(asset)) - 1)
        )
        return common
