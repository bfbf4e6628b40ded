"""What the conversion child gives up, and that a hostile file never meets the libraries it was written for."""

import io
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

from cripto.errors import ModelRefused
from cripto.registry.convert import convert_each
from cripto.registry.convert._frames import decode_frame, encode_frame
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.scan import scan
from tests.doubles.hostile import Gadget, Raw
from tests.doubles.releases import joblib_bytes

NAMES = ("a", "b", "c")
ROWS = np.random.default_rng(0).standard_normal((60, len(NAMES)))
FOREST = RandomForestRegressor(n_estimators=2, max_depth=3, random_state=0).fit(ROWS, ROWS[:, 0] / 100)

WATCHED = """
import sys
from cripto.registry.convert.child.gate import answer
sys.stdout.buffer.write(answer(sys.stdin.buffer.read()))
sys.stderr.write(" ".join(sorted({"numpy", "sklearn", "onnx", "onnxruntime", "joblib"} & set(sys.modules))))
"""


def asked(file: bytes, features: Sequence[str] | None = NAMES) -> tuple[dict[str, Any], str]:
    """The child's answer on one model, and which of the heavy libraries it had imported by then."""
    header = {"models": [{"name": "regressor_rf", "tipo": "regressor"}], "features": features}
    request = encode_frame(header, [b"" if features is None else ROWS.tobytes(), file])
    done = subprocess.run([sys.executable, "-c", WATCHED], input=request, capture_output=True, check=True)
    found, _ = decode_frame(done.stdout)
    return found["models"][0], done.stderr.decode()


def refusal(file: bytes) -> str:
    found = convert_each({"regressor_rf": file}, NAMES)["regressor_rf"]
    assert isinstance(found, ModelRefused)
    return found.reason


@pytest.mark.parametrize(
    "file",
    [joblib_bytes(Gadget(print, "no")), b"", b"\x80", b"no pickle at all", joblib_bytes(FOREST)[:-200]],
    ids=["gadget", "empty", "one byte", "rubbish", "cut"],
)
def test_a_hostile_file_is_refused_before_anything_heavy_is_imported(file: bytes) -> None:
    answer, heavy = asked(file)
    assert answer["stage"] == "scan"
    assert heavy == ""


def test_a_sound_file_is_converted_by_the_same_child() -> None:
    answer, heavy = asked(joblib_bytes(FOREST))
    assert answer["refused"] is None
    assert "sklearn" in heavy


def test_nothing_reaches_a_server_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        met: list[object] = []

        def listen() -> None:
            try:
                met.append(server.accept())
            except TimeoutError:
                return

        listener = threading.Thread(target=listen)
        listener.start()
        assert "not on the list" in refusal(joblib_bytes(Gadget(socket.create_connection, server.getsockname())))
        listener.join()
    assert not met


CONFINED = """
import os, resource, socket, sys
from cripto.registry.convert.child.confine import MEMORY, confine
offline = confine(30)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
    reached = True
except OSError:
    reached = False
assert not (offline and reached), "the network was said to be gone and is there"
try:
    open(sys.argv[2], "w").write("x" * 100000)
    raise SystemExit("it wrote a file")
except OSError:
    pass
try:
    bytearray(MEMORY)
    raise SystemExit("it took more memory than it may")
except MemoryError:
    pass
assert resource.getrlimit(resource.RLIMIT_CPU)[1] == 30
assert open("/proc/self/oom_score_adj").read().strip() == "1000", "another process would be ended in its place"
print("offline" if offline else "online")
"""


def test_the_child_can_neither_write_nor_take_all_memory_nor_call_out(tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", CONFINED, str(server.getsockname()[1]), str(tmp_path / "canary")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in {"offline", "online"}
    assert not (tmp_path / "canary").exists() or (tmp_path / "canary").stat().st_size == 0


def with_tree(change: Any) -> bytes:
    """The forest's file with the state of its first tree changed."""
    model = joblib.load(io.BytesIO(joblib_bytes(FOREST)))
    tree = model.estimators_[0].tree_
    _, args, state = tree.__reduce__()
    nodes = state["nodes"].copy()
    state = {**state, "nodes": nodes}
    change(state, nodes)
    model.estimators_[0].tree_ = Raw(type(tree), args, state)
    return joblib_bytes(model)


def set_left(child: int) -> Any:
    def change(_: dict[str, Any], nodes: Any) -> None:
        nodes["left_child"][0] = child

    return change


def set_feature(_: dict[str, Any], nodes: Any) -> None:
    nodes["feature"][0] = 10_000_000


def set_count(state: dict[str, Any], _: Any) -> None:
    state["node_count"] = 1_000_000


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(set_left(10_000_000), id="child beyond"),
        pytest.param(set_left(-7), id="child before", marks=pytest.mark.slow),
        pytest.param(set_left(0), id="a circle"),
        pytest.param(set_feature, id="feature beyond", marks=pytest.mark.slow),
        pytest.param(set_count, id="count beyond", marks=pytest.mark.slow),
    ],
)
def test_a_tree_that_leads_out_of_its_nodes_is_refused_not_walked(change: Any) -> None:
    assert "it holds a tree" in refusal(with_tree(change))


def test_the_same_way_of_writing_a_tree_passes_unchanged() -> None:
    found = convert_each({"regressor_rf": with_tree(lambda *_: None)}, NAMES)["regressor_rf"]
    assert not isinstance(found, ModelRefused)


def test_a_frame_that_the_unpickler_would_read_otherwise_is_refused() -> None:
    framed = pickle.dumps(["x" * 100], protocol=4)
    assert framed[2] == 0x95
    scan(framed)
    longer = framed[:3] + (len(framed) - 11 + 3).to_bytes(8, "little") + framed[11:] + b"abc"
    shorter = framed[:3] + (20).to_bytes(8, "little") + framed[11:]
    for data in (longer, shorter):
        with pytest.raises(Refused, match="frame"):
            scan(data)


def test_gradient_boosting_keeps_its_object_array(  # the one place where objects lie in an array
) -> None:
    model = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(ROWS, ROWS[:, 0] / 100)
    found = convert_each({"regressor_gbr": joblib_bytes(model)}, NAMES)["regressor_gbr"]
    assert not isinstance(found, ModelRefused)
