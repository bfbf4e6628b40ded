"""What a pickle says, as inert values: nothing here is looked up, called or built. Standard library only.

A parsed file is made of None, bool, int, float, str, bytes, bytearray, list, tuple, dict (text keys), `Name`,
`Made` and `Array`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cripto.registry.convert.child.allowed import Name
from cripto.registry.convert.child.refusal import Refused, shown

__all__ = ["Array", "Dtype", "Made", "check_call", "check_state", "read_array", "read_dtype", "read_shape"]

_DTYPE = Name("numpy", "dtype")
_NDARRAY = Name("numpy", "ndarray")
_RECONSTRUCT = Name("numpy._core.multiarray", "_reconstruct")
_SCALAR = Name("numpy._core.multiarray", "scalar")
_FROMBUFFER = Name("numpy._core.numeric", "_frombuffer")
_TREE = Name("sklearn.tree._tree", "Tree")
_NUMBERS: Final = {
    "b1": 1,
    **{f"{kind}{size}": size for kind in "iu" for size in (1, 2, 4, 8)},
    "f4": 4,
    "f8": 8,
}
_MOST_FIELDS = 64
_OBJECT_FLAGS = 63
_RECORD_FLAGS = (0, 16)
_ALIGNMENTS = (1, 2, 4, 8)
_RANDOM = "numpy.random._pickle"
_BITS = Name(_RANDOM, "__bit_generator_ctor")
_SOURCES = (Name("numpy.random._mt19937", "MT19937"), Name("numpy.random._pcg64", "PCG64"))
_SEED = Name("numpy.random.bit_generator", "SeedSequence")


@dataclass(eq=False, slots=True)
class Made:
    """An instance (or the result of a call) that a file asks for: of what, with which arguments and state."""

    name: Name
    args: tuple[Any, ...] = ()
    state: Any = None
    built: bool = False


@dataclass(frozen=True, slots=True)
class Dtype:
    """A number's kind (``f8``), ``O`` for objects, or ``V`` with fields: name, kind, offset."""

    kind: str
    itemsize: int
    fields: tuple[tuple[str, str, int], ...] = ()


@dataclass(eq=False, slots=True)
class Array:
    """An array: its bytes in the file in C (or ``F``) order, or of objects the flat list of them."""

    dtype: Dtype
    shape: tuple[int, ...]
    order: str
    payload: Any = field(repr=False)


def read_shape(shape: Any) -> tuple[int, ...]:
    """A shape of at most four sizes, none negative; raise `Refused`."""
    if type(shape) is not tuple or len(shape) > 4 or not all(type(n) is int and n >= 0 for n in shape):
        raise Refused("it holds an array of a malformed shape")
    return shape


def read_dtype(made: Any) -> Dtype:
    """The dtype that a pickled ``numpy.dtype`` stands for: a number, objects, or plain fields of numbers.

    Numpy takes sizes, fields and flags from the state as they are. A number that is flagged as an object, or a
    field beyond its record, would make it follow foreign addresses: each must be what the code says.
    """
    if type(made) is not Made or made.name != _DTYPE:
        raise Refused("it holds an array of no dtype")
    code, state = made.args[0], made.state
    if state is not None and (
        type(state) is not tuple or len(state) != 8 or state[0] != 3 or state[2] is not None
    ):
        raise Refused("it holds a malformed dtype")
    if state is not None and state[1] not in ("<", "|", "="):
        raise Refused("it was written on a machine of another byte order")
    if code in _NUMBERS or code == "O8":
        if state is not None and state[3:] != (None, None, -1, -1, _OBJECT_FLAGS if code == "O8" else 0):
            raise Refused("it holds a malformed dtype")
        return Dtype("O", 8) if code == "O8" else Dtype(code, _NUMBERS[code])
    if state is None or code[:1] != "V" or not code[1:].isdecimal() or len(code) > 6:
        raise Refused(f"it holds an array of dtype {code[:20]!r}, which no model needs")
    return _record(state, int(code[1:]))


def _record(state: tuple[Any, ...], itemsize: int) -> Dtype:
    names, fields = state[3], state[4]
    if type(names) is not tuple or type(fields) is not dict or not 0 < len(names) <= _MOST_FIELDS:
        raise Refused("it holds a malformed dtype")
    sound = state[5] == itemsize and state[6] in _ALIGNMENTS and state[7] in _RECORD_FLAGS
    if not sound or not all(type(name) is str for name in names) or fields.keys() != set(names):
        raise Refused("it holds a malformed dtype")
    found = []
    for name in names:
        entry = fields[name]
        if type(entry) is not tuple or len(entry) != 2 or type(entry[1]) is not int:
            raise Refused("it holds a malformed dtype")
        inner, offset = entry
        # A record in a record, or in itself, is refused before it is read.
        if type(inner) is not Made or inner.name != _DTYPE or inner.args[0] not in _NUMBERS:
            raise Refused("it holds a malformed dtype")
        kind = read_dtype(inner)
        if not 0 <= offset <= itemsize - kind.itemsize:
            raise Refused("it holds a malformed dtype")
        found.append((name, kind.kind, offset))
    if len({name for name, _, _ in found}) != len(found):
        raise Refused("it holds a malformed dtype")
    return Dtype("V", itemsize, tuple(found))


def read_array(made: Made) -> Array:
    """The array that a pickled ``_reconstruct`` or ``_frombuffer`` stands for."""
    if made.name == _FROMBUFFER:
        payload, dtype, shape, order = made.args
        fortran = order == "F"
    elif made.name == _RECONSTRUCT and type(made.state) is tuple and len(made.state) == 5:
        _, shape, dtype, fortran, payload = made.state
    else:
        raise Refused("it holds an array without its numbers")
    kind, sizes = read_dtype(dtype), read_shape(shape)
    count = math.prod(sizes)
    wanted: Sequence[type] = (list,) if kind.kind == "O" else (bytes, bytearray)
    length = count if kind.kind == "O" else count * kind.itemsize
    if type(payload) not in wanted or len(payload) != length:
        raise Refused(f"it holds an array that claims {length} bytes and has others")
    return Array(kind, sizes, "F" if fortran is True else "C", payload)


def check_call(made: Made) -> None:
    """Refuse a call whose arguments are not what scikit-learn, numpy and joblib write."""
    args, kinds = made.args, tuple(type(arg) for arg in made.args)
    if made.name == _DTYPE:
        fine = kinds == (str, bool, bool) and args[0].isascii() and args[1:] == (False, True)
    elif made.name == _RECONSTRUCT:
        fine = args == (_NDARRAY, (0,), b"b")
    elif made.name == _FROMBUFFER:
        fine = len(args) == 4 and args[3] in ("C", "F") and read_array(made) is not None
    elif made.name == _SCALAR:
        fine = len(args) == 2 and type(args[1]) is bytes and len(args[1]) == read_dtype(args[0]).itemsize
        fine = fine and read_dtype(args[0]).kind in _NUMBERS
    elif made.name == _TREE:
        fine = len(args) == 3 and kinds[0] is kinds[2] is int and kinds[1] in (Array, Made)
    elif made.name.module == "sklearn._loss._loss":
        fine = all(
            kind in (int, float) or (kind is Made and arg.name == _SCALAR)
            for kind, arg in zip(kinds, args, strict=True)
        )
    elif made.name == _BITS:
        fine = kinds == (Name,) and args[0] in _SOURCES
    elif made.name.module == _RANDOM:  # a second argument would be a function of the file's choice, and be called
        fine = kinds == (Made,) and args[0].name == _BITS
    else:
        fine = kinds[:2] == (Name, int) and args[0] == _SEED and len(args) == 3
    if not fine:
        raise Refused(f"it calls {made.name} with other arguments than a model's")


def check_state(made: Made) -> None:
    """Refuse a state of another form than what the class writes."""
    if made.name == _DTYPE:
        read_dtype(made)
    elif made.name == _RECONSTRUCT:
        read_array(made)
    elif made.name in (_SCALAR, _FROMBUFFER):
        raise Refused(f"it gives {made.name} a state")
    elif made.name.module.startswith("sklearn.") and (
        type(made.state) is not dict
        or any(key.startswith("__") for key in made.state)
        or type(made.state.get("_sklearn_version", "")) is not str
    ):
        raise Refused(f"it gives {made.name} a state that is none")
    elif made.name == _TREE:
        _check_tree(made.state)


def _check_tree(state: dict[str, Any]) -> None:
    """Refuse a tree that counts other nodes than it holds: scikit-learn would read past their end."""
    count, nodes, values = (state.get(key) for key in ("node_count", "nodes", "values"))
    nodes, values = (read_array(item) if type(item) is Made else item for item in (nodes, values))
    if type(nodes) is not Array or type(values) is not Array or nodes.dtype.kind != "V":
        raise Refused("it holds a tree without its nodes")
    if type(count) is not int or count < 1 or nodes.shape != (count,) or values.shape[:1] != (count,):
        raise Refused(f"it holds a tree of {shown(count)} nodes that holds others")
