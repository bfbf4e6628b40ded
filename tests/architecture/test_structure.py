"""The rules of the house that a machine can check beside the import layers."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "cripto"
FILES = sorted(SOURCE.rglob("*.py"))
CHILD = SOURCE / "registry" / "convert" / "child"
HARD_CAP = 400


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=relative)
def test_no_file_is_over_the_hard_cap(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= HARD_CAP


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_module_is_a_drawer(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in {"__init__", "__main__"}], ids=relative
)
def test_public_means_listed(path: Path) -> None:
    tree = parsed(path)
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "__all__" in names


def calls(tree: ast.AST) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_only_the_conversion_child_unpickles(path: Path) -> None:
    loaders = {
        "joblib.load",
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
        "cloudpickle.load",
        "numpy.load",
        "np.load",
    }
    found = calls(parsed(path)) & loaders
    imported = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    } & loaders
    if CHILD not in path.parents:
        assert not found | imported


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_time_and_environment_come_from_their_one_place(path: Path) -> None:
    found = calls(parsed(path)) & {"datetime.now", "datetime.utcnow", "time.time", "datetime.today"}
    if path not in {SOURCE / "domain" / "clock.py", SOURCE / "storage" / "memory.py"}:
        assert not found


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_pyspark_is_imported_inside_functions_of_its_one_module(path: Path) -> None:
    tree = parsed(path)
    everywhere = [node for node in ast.walk(tree) if "pyspark" in imports(node)]
    at_module_level = [node for node in tree.body if "pyspark" in imports(node)]
    assert not at_module_level
    assert not everywhere or path == SOURCE / "training" / "spark.py"


def imports(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module:
        return {node.module.split(".")[0]}
    return set()


IMPORT_EVERYTHING = """
import os, pkgutil, socket, sys, threading
import cripto
names = [m.name for m in pkgutil.walk_packages(cripto.__path__, "cripto.") if not m.name.endswith("__main__")]
# third parties may look at the environment; what is watched here is us
import importlib
class Refused(Exception): pass
def refuse(*args, **kwargs): raise Refused(args)
socket.socket.connect = refuse
socket.socket.bind = refuse
before = dict(os.environ)
import builtins
writes = []
real_open = builtins.open
def watched(file, mode="r", *args, **kwargs):
    if set(mode) & set("wax+"): writes.append(file)
    return real_open(file, mode, *args, **kwargs)
builtins.open = watched
for name in names: importlib.import_module(name)
# scikit-learn itself sets two OpenMP variables when it is imported
changed = {name for name in {*os.environ, *before} if os.environ.get(name) != before.get(name)}
assert all(name.startswith("KMP_") for name in changed), changed
assert threading.active_count() == 1, threading.enumerate()
assert not writes, writes
print(len(names))
"""


def test_importing_any_module_does_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 20
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_module_reads_the_environment_while_it_is_imported(path: Path) -> None:
    tree = parsed(path)
    inside = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.walk(node)
    }
    reads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) in {"os.environ", "os.getenv"}
        and id(node) not in inside
    ]
    assert not reads


def test_the_serving_process_never_imports_what_trains_or_fetches() -> None:
    code = (
        "import sys, cripto.cli.serve, cripto.serving.app, cripto.forecasting.runtime\n"
        "never = {'sklearn', 'skl2onnx', 'onnx', 'joblib', 'ccxt', 'pyspark', 'pandas', 'matplotlib'}\n"
        "never |= {'opentelemetry.sdk', 'opentelemetry.exporter', 'requests'}\n"
        "print(sorted(never & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
