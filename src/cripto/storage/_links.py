"""Paths below a store's folder, none of which may lead out of it through a symbolic link."""

from pathlib import Path

from cripto.errors import StorageDenied

__all__ = ["path_of"]


def path_of(folder: Path, key: str) -> Path:
    """The file of a checked ``key``; raise `StorageDenied` if a part of it below ``folder`` is a symbolic link."""
    path = folder
    for part in key.split("/"):
        path = path / part
        if path.is_symlink():
            raise StorageDenied(f"{path} is a symbolic link, which a store does not follow")
    return path
