"""The one exception by which anything in the child says no."""

__all__ = ["Refused"]


class Refused(Exception):
    """The model is refused; the message is the reason."""
