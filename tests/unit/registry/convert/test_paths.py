"""Where the child looks for what its parent is made of."""

import sys
from pathlib import Path

import pytest

from cripto.registry.convert import _paths
from cripto.registry.convert._paths import child_command, installed_apart


def installed(folder: Path) -> str:
    (folder / "numpy-2.4.6.dist-info").mkdir(parents=True)
    return str(folder)


def test_in_an_environment_of_its_own_the_child_needs_nothing_more() -> None:
    assert installed_apart() == []
    assert child_command() == (sys.executable, "-I", "-m", "cripto.registry.convert.child")


def test_only_folders_that_packages_were_installed_into_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, target = installed(tmp_path / "user"), installed(tmp_path / "it's a target")
    (tmp_path / "scripts").mkdir()
    installed(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    paths = ["", "here", str(tmp_path / "scripts"), str(tmp_path / "none"), target, *sys.path, user, target]
    assert installed_apart(paths) == [target, user]


def test_the_command_stays_isolated_and_puts_them_after_the_standard_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = installed(tmp_path / "it's a target")
    monkeypatch.setattr(_paths, "installed_apart", lambda: [target])
    executable, isolated, how, script = child_command()
    assert (executable, isolated, how) == (sys.executable, "-I", "-c")
    shown: list[list[str]] = []
    body = script.replace("runpy.run_module", "(lambda *_, **__: shown.append(list(sys.path)))")
    before = list(sys.path)
    try:
        exec(body, {"shown": shown})
    finally:
        sys.path[:] = before
    (path,) = shown
    assert [entry for entry in path if entry != target] == before
    assert path[path.index(target) + 1].endswith("-packages")
