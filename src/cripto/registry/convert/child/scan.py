"""A joblib file read into inert values, by a machine that knows few opcodes and imports nothing.

No unpickler is involved: what this returns is data.
The opcodes are those that pickle's protocols 2 to 5 use for a model; the format of arrays is that of joblib's
``NumpyArrayWrapper``. Standard library only, so that a hostile file is refused before anything heavy is imported.
"""

import math
import re
import struct
from typing import Any

from cripto.registry.convert._libraries import scikit_learn
from cripto.registry.convert.child.allowed import CALLED, MADE, Name, listed
from cripto.registry.convert.child.refusal import Refused
from cripto.registry.convert.child.values import (
    Array,
    Made,
    check_call,
    check_state,
    read_array,
    read_dtype,
    read_shape,
)

__all__ = ["scan"]

_MOST_STEPS = 3_000_000
_WRAPPER = Name("joblib.numpy_pickle", "NumpyArrayWrapper")
_WRAPPED = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
_RECONSTRUCT = Name("numpy._core.multiarray", "_reconstruct")
_VERSION = re.compile(rb"_sklearn_version(?:\x94|q.|r....)?(?:\x8c.|X....)(\d{1,4}\.[0-9a-z.]{1,20})", re.DOTALL)
_MARK = object()


def scan(data: bytes) -> Any:
    """What a decompressed file says, as the values of `values`; raise `Refused` and never anything else."""
    ours = scikit_learn()  # without one nothing is converted, but what is hostile is still told to be
    if ours and (found := _VERSION.search(data)) and (theirs := found[1].decode()) != ours:
        raise Refused(f"it was fitted with scikit-learn {theirs} and this is {ours}")
    machine = _Machine(data)
    try:
        value = machine.run()
    except (IndexError, KeyError, TypeError, ValueError, struct.error, OverflowError, RecursionError) as error:
        raise Refused(f"it is not a joblib file: its pickle is malformed ({type(error).__name__})") from error
    if machine.position != len(data):
        raise Refused("it is not a joblib file: there is more after its end")
    return value


class _Machine:
    """Pickle's stack machine over ``data`` from ``position``; ``nested`` within an array of objects."""

    def __init__(self, data: bytes, position: int = 0, steps: int = 0, nested: bool = False) -> None:
        self.data = memoryview(data)
        self.position = position
        self.steps = steps
        self.nested = nested
        self.frame_end = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value at the stream's end."""
        if self.take(1)[0] != 0x80 or not 2 <= self.take(1)[0] <= 5:
            raise Refused("it is not a joblib file: no pickle of protocol 2 to 5")
        while True:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise Refused(f"it takes more than {_MOST_STEPS} steps to read")
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                value = self.pop()
                if self.stack:
                    raise Refused("it is not a joblib file: its pickle leaves values behind")
                self.check_outside_frame()
                return value
            if code in _PUSHED:
                self.stack.append(_PUSHED[code])
            elif (known := _STEPS.get(code)) is not None:
                known(self)
            else:
                raise Refused(f"it holds the pickle opcode 0x{code:02x}, which no model needs")

    def take(self, count: int) -> memoryview:
        """The next bytes; what claims more than there are is refused before anything is set aside for it."""
        if count > len(self.data) - self.position:
            left = len(self.data) - self.position
            raise Refused(f"it is not a joblib file: it claims {count} bytes more where {left} are left")
        if self.position < self.frame_end < self.position + count:
            raise Refused("it is not a joblib file: its pickle reads over the end of a frame")
        self.position += count
        return self.data[self.position - count : self.position]

    def check_outside_frame(self) -> None:
        """Refuse to go on within a frame where an unpickler, which reads frames whole, would go on behind it."""
        if self.position < self.frame_end:
            raise Refused("it is not a joblib file: a frame holds more than its pickle reads")

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def line(self) -> str:
        piece = bytes(self.data[self.position : self.position + 512])
        end = piece.find(b"\n")
        if end < 0:
            raise Refused("it names something of more than 512 letters")
        self.take(end + 1)
        return piece[:end].decode()

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise Refused("it is not a joblib file: its pickle has a mark out of place")
        return value

    def since_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                values = self.stack[index + 1 :]
                del self.stack[index:]
                return values
        raise Refused("it is not a joblib file: its pickle misses a mark")

    def push_text(self, width: int) -> None:
        self.stack.append(bytes(self.take(self.number(width))).decode("utf-8", "surrogatepass"))

    def push_bytes(self, width: int) -> None:
        self.stack.append(bytes(self.take(self.number(width))))

    def push_tuple(self, count: int) -> None:
        values = tuple(reversed([self.pop() for _ in range(count)]))
        self.stack.append(values)

    def push_signed(self, width: int) -> None:
        self.stack.append(int.from_bytes(self.take(width), "little", signed=True))

    def frame(self) -> None:
        self.check_outside_frame()
        size = self.number(8)
        self.take(size)
        self.frame_end = self.position
        self.position -= size

    def append(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Refused("it appends to what is no list")
        self.stack[-1].extend(values)

    def set_items(self, values: list[Any]) -> None:
        target, keys = self.stack[-1], values[::2]
        # Text alone: the hash of a nested tuple takes time without end.
        if type(target) is not dict or len(values) % 2 or not all(type(key) is str for key in keys):
            raise Refused("it sets items of what is no dictionary of names")
        target.update(zip(keys, values[1::2], strict=True))

    def put(self, key: int) -> None:
        if self.stack[-1] is _MARK:
            raise Refused("it is not a joblib file: its pickle has a mark out of place")
        self.memo[key] = self.stack[-1]

    def name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("it names something by what is no text")
        self.stack.append(listed(module, name))

    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if type(function) is not Name or function not in CALLED or type(args) is not tuple:
            raise Refused(f"it calls {_told(function)}, which no model does")
        made = Made(function, args)
        check_call(made)
        self.stack.append(made)

    def make(self) -> None:
        args, kind = self.pop(), self.pop()
        if type(kind) is not Name or kind not in MADE or args != ():
            raise Refused(f"it makes a {_told(kind)}, which no model does")
        self.stack.append(Made(kind))

    def build(self) -> None:
        state, made = self.pop(), self.stack[-1]
        if type(made) is not Made or made.built:
            raise Refused(f"it sets the state of {_told(made)}, which no model does")
        made.state, made.built = state, True
        if made.name == _WRAPPER:
            self.stack[-1] = self.array(state)
        else:
            check_state(made)

    def array(self, state: Any) -> Any:
        """The array whose bytes follow; joblib writes them raw, or of objects as a pickle of their own."""
        if self.nested or type(state) is not dict or not state.keys() <= _WRAPPED:
            raise Refused("it holds a malformed array")
        if state.get("subclass") != ("numpy", "ndarray") or state.get("order") not in ("C", "F"):
            raise Refused("it holds an array of another class than numpy's own")
        self.check_outside_frame()
        dtype, shape = read_dtype(state.get("dtype")), read_shape(state.get("shape"))
        if dtype.kind == "O":
            return self.objects(shape)
        if state.get("numpy_array_alignment_bytes") is not None:
            self.take(self.number(1))
        payload = self.take(math.prod(shape) * dtype.itemsize)
        return Array(dtype, shape, state["order"], payload)

    def objects(self, shape: tuple[int, ...]) -> Array:
        inner = _Machine(self.data.obj, self.position, self.steps, nested=True)  # type: ignore[arg-type]
        value = inner.run()
        self.position, self.steps = inner.position, inner.steps
        array = read_array(value) if type(value) is Made and value.name == _RECONSTRUCT else None
        if array is None or array.dtype.kind != "O" or array.shape != shape:
            raise Refused("it holds an array of objects that is none")
        return array


def _told(value: Any) -> str:
    if type(value) is Made:
        return f"a built {value.name}" if value.built else str(value.name)
    return str(value) if type(value) is Name else f"a {type(value).__name__}"


_PUSHED: dict[int, Any] = {0x28: _MARK, 0x4E: None, 0x88: True, 0x89: False, 0x29: ()}
_STEPS: dict[int, Any] = {
    0x95: _Machine.frame,
    0x5D: lambda m: m.stack.append([]),  # EMPTY_LIST
    0x7D: lambda m: m.stack.append({}),  # EMPTY_DICT
    0x61: lambda m: m.append([m.pop()]),
    0x65: lambda m: m.append(m.since_mark()),
    0x73: lambda m: m.set_items([m.pop(), m.pop()][::-1]),
    0x75: lambda m: m.set_items(m.since_mark()),
    0x74: lambda m: m.stack.append(tuple(m.since_mark())),
    0x85: lambda m: m.push_tuple(1),
    0x86: lambda m: m.push_tuple(2),
    0x87: lambda m: m.push_tuple(3),
    0x4A: lambda m: m.push_signed(4),  # BININT
    0x4B: lambda m: m.stack.append(m.number(1)),
    0x4D: lambda m: m.stack.append(m.number(2)),
    0x8A: lambda m: m.push_signed(m.number(1)),  # LONG1
    0x47: lambda m: m.stack.append(struct.unpack(">d", m.take(8))[0]),  # BINFLOAT
    0x8C: lambda m: m.push_text(1),
    0x58: lambda m: m.push_text(4),
    0x8D: lambda m: m.push_text(8),
    0x43: lambda m: m.push_bytes(1),
    0x42: lambda m: m.push_bytes(4),
    0x8E: lambda m: m.push_bytes(8),
    0x96: lambda m: m.push_bytes(8),  # BYTEARRAY8: read only, nobody writes to it
    0x94: lambda m: m.put(len(m.memo)),  # MEMOIZE
    0x71: lambda m: m.put(m.number(1)),
    0x72: lambda m: m.put(m.number(4)),
    0x68: lambda m: m.stack.append(m.memo[m.number(1)]),
    0x6A: lambda m: m.stack.append(m.memo[m.number(4)]),
    0x93: lambda m: m.name(*[m.pop(), m.pop()][::-1]),  # STACK_GLOBAL
    0x63: lambda m: m.name(m.line(), m.line()),  # GLOBAL
    0x52: _Machine.call,  # REDUCE
    0x81: _Machine.make,  # NEWOBJ
    0x62: _Machine.build,
}
