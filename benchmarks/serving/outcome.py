"""The two ways in which a measurement ends without figures."""

__all__ = ["LeftOut", "Unmeasured"]


class LeftOut(Exception):
    """It does not apply to this server or machine; said, and no failure."""


class Unmeasured(Exception):
    """It should have worked and did not: no figure is better than a wrong one."""
