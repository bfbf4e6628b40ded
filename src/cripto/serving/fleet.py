"""Several processes that serve as one: figures that all of them tell, and word of a reload.

They share a folder and nothing else. Each has a number in it, its slot; a process that takes the place of one that
died takes its slot too, and counts on from where that one got to, so that no counter ever goes backwards.
"""

import json
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock

from cripto.serving.figures import NOTHING, Counts, Figures, combined, total

__all__ = ["Fleet"]


class Fleet:
    """One process's place among those that share ``folder``; ``slot`` is its own while it lives.

    prometheus_client, which keeps its counters in the same folder, looks for it in PROMETHEUS_MULTIPROC_DIR:
    whoever starts the processes sets that. A folder that cannot be written makes figures old, and keeps nobody
    from being served. Safe to share between threads.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self.folder = folder
        self.slot = slot
        self._mine = folder / f"figures-{slot}.json"
        self._word = folder / "reloaded"
        self._lock = Lock()
        self._heard = self._last_word()
        before = _read(self._mine)
        self._before = NOTHING if before is None else before.counts
        self._told = NOTHING

    def figures(self, own: Figures) -> Figures:
        """The figures of all, once ``own`` are told to the others."""
        self.tell(own)
        # read back, never taken from memory: what one scrape has shown, no later one may fall behind
        found = [_read(path) for path in self.folder.glob("figures-*.json")]
        return combined([one for one in found if one is not None])

    def tell(self, own: Figures) -> None:
        """Leave ``own`` figures for the others to read."""
        with self._lock, suppress(OSError):
            # two threads may come here in another order than they read what they tell
            self._told = Counts(*map(max, self._told, own.counts))
            text = json.dumps(asdict(replace(own, counts=total([self._before, self._told]))))
            beside = self._mine.with_suffix(".new")
            beside.write_text(text)
            beside.replace(self._mine)

    def reloaded(self) -> None:
        """Tell the others that a reload was carried out, so that they look as well."""
        with self._lock, suppress(OSError):
            self._word.write_bytes(b"")
            self._heard = self._last_word()

    def word(self) -> bool:
        """Whether another process has told of a reload since this was last asked."""
        with self._lock:
            last, heard = self._last_word(), self._heard
            self._heard = last
        return last != heard

    def _last_word(self) -> int:
        try:
            return self._word.stat().st_mtime_ns
        except OSError:
            return 0


def _read(path: Path) -> Figures | None:
    """What a process has told; ``None`` if that cannot be read."""
    try:
        return Figures.from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
