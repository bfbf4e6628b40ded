"""What each role may do with the bucket: the list that Terraform's policies, and the programs, are held to."""

from dataclasses import dataclass

from tests.deploy import names

__all__ = ["ACCESS", "Access"]


@dataclass(frozen=True, slots=True)
class Access:
    """Prefixes, without the slash, that may be read, written and cleaned up."""

    read: tuple[str, ...]
    write: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()

    def permits(self, method: str, key: str) -> bool:
        """Whether a request may be made: an HTTP method, or ``LIST`` with a prefix for ``key``.

        An empty key is that of a deletion of many, which names them in its body.
        """
        allowed = {"GET": self.read, "HEAD": self.read, "LIST": self.read, "DELETE": self.delete}.get(
            method, self.write
        )
        if method == "POST" and not key:
            return bool(self.delete)
        return any(key.startswith(f"{prefix}/") for prefix in allowed)


ACCESS = {
    names.API: Access(read=("candles", "models")),
    names.COLLECTOR: Access(read=("candles",), write=("candles",), delete=("candles",)),
    names.TRAINER: Access(read=("candles", "models"), write=("models",)),
    names.GLUE_ROLE: Access(read=("candles", "models", "glue"), write=("models",)),
}
