"""How often, and for how long, something that may pass is tried again."""

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True, slots=True)
class Patience:
    """At most ``attempts`` of one request, with at most ``total`` seconds of waiting between them."""

    attempts: int = 6
    total: float = 120.0
    first: float = 0.5
    longest: float = 30.0

    def wait(self, failures: int, chance: float) -> float:
        """Seconds before the attempt after ``failures`` failed ones: doubled each time, half of it by ``chance``.

        ``chance`` is a random number in [0, 1), so that clients which failed together do not return together.
        """
        whole = min(self.longest, self.first * 2.0 ** (failures - 1))
        return whole * (0.5 + chance / 2)
