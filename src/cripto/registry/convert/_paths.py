"""Where the child finds what this process is made of."""

import site
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

__all__ = ["child_command", "installed_apart"]

_MODULE = "cripto.registry.convert.child"

_BOOT = """
import runpy, sys
place = next((n for n, path in enumerate(sys.path) if path.endswith("-packages")), len(sys.path))
sys.path[place:place] = {folders!r}
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


def installed_apart(paths: Iterable[str] | None = None) -> list[str]:
    """Folders on ``paths`` (``sys.path``) that packages were installed into and an isolated interpreter skips.

    A user's folder (``pip install --user``) and a target's (``--target``), as on AWS Glue. What packages were not
    installed into, a script's folder or the working one, is not among them.
    """
    known = {Path(path).resolve() for path in (*site.getsitepackages(), *sysconfig.get_paths().values())}
    found: dict[str, None] = {}
    for path in sys.path if paths is None else paths:
        folder = Path(path)
        if folder.is_absolute() and folder.resolve() not in known and any(folder.glob("*.dist-info")):
            found[path] = None
    return list(found)


def child_command() -> tuple[str, ...]:
    """The child, isolated from environment and working folder; it finds what this process was installed with."""
    folders = installed_apart()
    if not folders:
        return (sys.executable, "-I", "-m", _MODULE)
    return (sys.executable, "-I", "-c", _BOOT.format(folders=folders, module=_MODULE))
