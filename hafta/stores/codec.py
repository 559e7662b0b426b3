"""What a record says, as bytes: where each sequence stands, and the state that came with the checkpoint.

1. The frame holds all that stays the same during a visit to a node; it is encoded at a transition. The body holds the
   innermost checkpoint and its state; it is encoded at every checkpoint, so bytes, int and str have a fast path.
2. Values are None, bool, int, float, str, bytes, and lists and dicts of them with str keys: what JSON can say, and
   bytes. Not json, whose import costs as much as starting Python and which has no bytes; never pickle, which runs what
   it reads; nor marshal, whose format is that of one Python.
3. Decoding believes nothing: a length that leads out of the data, an unknown tag, nesting without end is a StoreError.

Invariant: `position(frame(p), body(c, s))` is `p` with checkpoint `c` and state `s`, tuples having become lists.
"""

from __future__ import annotations

import struct
from struct import Struct

from hafta.errors import StoreError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

VERSION = 1
DEEPEST = 20  # lists and dicts within each other

_SIZE = Struct("<I")
_INT = Struct("<q")
_FLOAT = Struct("<d")
_pack_size = _SIZE.pack
_pack_int = _INT.pack
_keys: dict[str, bytes] = {}  # the keys of a program's states, encoded; programs have few
_levels: dict[tuple[str, str, tuple[str, ...]], bytes] = {}  # what stays the same of each sequence, encoded
_OPENING = b"l" + _pack_size(6) + b"i" + _pack_int(VERSION) + b"l"


class Visit(Record):
    """A node on the stack, with the last checkpoint that it had set."""

    node: str
    checkpoint: int
    state: dict[str, Any] = {}  # noqa: RUF012 - records are frozen


class Level(Record):
    """Where one sequence stands."""

    sequence: str
    version: str  # as the user gave it; empty if not
    nodes: tuple[str, ...]  # the names of all nodes: what a record of another shape is told by
    node: str  # the current one
    phase: str  # what was running: the drivers' word
    attempt: int = 0  # consecutive failures
    checkpoint: int = 0
    state: dict[str, Any] = {}  # noqa: RUF012 - records are frozen
    stack: tuple[Visit, ...] = ()


class Position(Record):
    """Where a call stands: its sequence and those that run inside of it, the outermost first."""

    levels: tuple[Level, ...]
    entered: float  # wall clock of the transition, seconds since 1970
    boottime: (
        float  # the same on CLOCK_BOOTTIME, which no clock step disturbs; means something within the same boot only
    )
    boot: str  # the boot's id; empty where the sandbox hides it
    pid: int


def frame(position: Position) -> bytes:
    """Return the frame of the records that follow. Raises StoreError of kind "value"."""
    *outer, inner = position.levels
    levels = [_level(level, level.checkpoint, level.state) for level in outer]
    levels.append(_level(inner, 0, {}))
    times = b"f" + _FLOAT.pack(position.entered) + b"f" + _FLOAT.pack(position.boottime)
    return _OPENING + _pack_size(len(levels)) + b"".join(levels) + times + _text(position.boot) + _number(position.pid)


def body(checkpoint: int, state: Mapping[str, Any], room: int) -> bytes:
    """Return the body of a checkpoint. Raises StoreError: "value" or "too-large", naming the key."""
    try:
        text = _pack_int(checkpoint)
    except struct.error as error:
        hint = "a checkpoint is a small integer; what is large is state"
        raise StoreError(f"checkpoint {checkpoint} does not fit into 64 bits", hint, kind="value") from error
    for key, value in state.items():
        kind = type(value)
        name = _keys.get(key) or _key(key)
        if kind is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            text += name + b"i" + _pack_int(value)
        elif kind is str:
            data = value.encode("utf-8", "surrogatepass")
            text += name + b"s" + _pack_size(len(data)) + data
        elif kind is bytes:
            text += name + b"b" + _pack_size(len(value)) + value
        else:
            text += name + encode(value, key)
    if len(text) > room:
        raise _too_large(state, len(text), room)
    return text


def position(frame_data: bytes, body_data: bytes) -> Position:
    """Return what a record says. Raises StoreError: "damaged" for what is none of ours, "newer"."""
    try:
        return _position(frame_data, body_data)
    except (IndexError, KeyError, TypeError, ValueError, struct.error, RecursionError) as error:
        hint = "the program that wrote it may be a different one; begin anew: hafta checkpoints discard"
        raise StoreError(f"the record cannot be understood: {error}", hint, kind="damaged") from error


def encode(value: Any, key: str, depth: int = 0) -> bytes:
    """Return a value as bytes. `key` names it in the error. Raises StoreError of kind "value"."""
    if value is None or value is True or value is False:
        return {None: b"N", True: b"T", False: b"F"}[value]
    if isinstance(value, int):
        return _encode_int(value)
    if isinstance(value, float):
        return b"f" + _FLOAT.pack(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return b"b" + _pack_size(len(value)) + value
    return _encode_many(value, key, depth)


def decode(data: bytes, at: int = 0, depth: int = 0) -> tuple[Any, int]:
    """Return a value and where the next one begins. Raises ValueError, IndexError or struct.error for what is none."""
    tag = data[at : at + 1]
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at + 1
    if tag == b"i":
        return _INT.unpack_from(data, at + 1)[0], at + 9
    if tag == b"f":
        return _FLOAT.unpack_from(data, at + 1)[0], at + 9
    (size,) = _SIZE.unpack_from(data, at + 1)
    if tag in {b"l", b"d"}:
        return _decode_many(data, at + 5, size, depth, pairs=tag == b"d")
    end = at + 5 + size
    if end > len(data):
        raise ValueError(f"{size} bytes at {at} lead out of it")
    return _decode_bytes(tag, data[at + 5 : end]), end


_CONSTANTS = {b"N": None, b"T": True, b"F": False}


def _decode_bytes(tag: bytes, data: bytes) -> Any:
    if tag == b"s":
        return data.decode("utf-8", "surrogatepass")
    if tag == b"I":
        return int.from_bytes(data, "little", signed=True)
    if tag != b"b":
        raise ValueError(f"there is no kind {tag!r}")
    return data


def _encode_int(value: int) -> bytes:
    if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        return b"i" + _pack_int(value)
    size = value.bit_length() // 8 + 1
    return b"I" + _pack_size(size) + value.to_bytes(size, "little", signed=True)


def _encode_many(value: Any, key: str, depth: int) -> bytes:
    if depth >= DEEPEST:
        raise StoreError(f"{key}: nested deeper than {DEEPEST}", "record less", kind="value")
    if isinstance(value, list | tuple):
        parts = [encode(item, key, depth + 1) for item in value]
        return b"l" + _pack_size(len(parts)) + b"".join(parts)
    if isinstance(value, dict):
        parts = [_key(name) + encode(item, f"{key}.{name}", depth + 1) for name, item in value.items()]
        return b"d" + _pack_size(len(parts)) + b"".join(parts)
    hint = "record what JSON can say, or bytes; what belongs to the process (a file, a socket) is userdata"
    raise StoreError(f"{key}: a {type(value).__name__} cannot be recorded", hint, kind="value")


def _decode_many(data: bytes, at: int, size: int, depth: int, *, pairs: bool) -> tuple[Any, int]:
    if depth >= DEEPEST or size > len(data):
        raise ValueError(f"{size} items at {at}, nested {depth} deep")
    items, names = [], []
    for _ in range(size):
        if pairs:
            name, at = _decode_key(data, at)
            names.append(name)
        item, at = decode(data, at, depth + 1)
        items.append(item)
    return (dict(zip(names, items, strict=True)) if pairs else items), at


def _key(key: str) -> bytes:
    if not isinstance(key, str):
        raise StoreError(f"{key!r}: a key is a str", "name each value of the state", kind="value")
    data = key.encode("utf-8", "surrogatepass")
    _make_room(_keys)
    _keys[key] = encoded = _pack_size(len(data)) + data
    return encoded


def _decode_key(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _SIZE.unpack_from(data, at)[0]
    if end > len(data):
        raise ValueError(f"the key at {at} leads out of it")
    return data[at + 4 : end].decode("utf-8", "surrogatepass"), end


def _level(level: Level, checkpoint: int, state: dict[str, Any]) -> bytes:
    name = level.sequence, level.version, level.nodes
    fixed = _levels.get(name) or _fixed(name)
    stack = [_visit(visit, level.nodes) for visit in level.stack]
    moving = _text(level.node) + _text(level.phase) + _number(level.attempt) + _number(checkpoint)
    return fixed + moving + encode(state, "state") + b"l" + _pack_size(len(stack)) + b"".join(stack)


def _fixed(name: tuple[str, str, tuple[str, ...]]) -> bytes:
    """Return the part of a level that is the same for all of a sequence's life."""
    _make_room(_levels)
    _levels[name] = fixed = b"l" + _pack_size(9) + b"".join(encode(part, "sequence") for part in name)
    return fixed


def _visit(visit: Visit, nodes: tuple[str, ...]) -> bytes:
    """Return a visit as bytes, kept with it: it is in each frame until its node is left or visited again.

    The node is its index among the nodes; that alone stands for a visit without checkpoint and state.
    """
    kept: tuple[tuple[str, ...], bytes] | None = visit.__dict__.get("_bytes")
    if kept is None or kept[0] is not nodes:
        text = _number(nodes.index(visit.node)) if visit.node in nodes else _text(visit.node)
        if visit.checkpoint or visit.state:
            text = b"l" + _pack_size(3) + text + _number(visit.checkpoint) + encode(visit.state, visit.node)
        visit.__dict__["_bytes"] = kept = (nodes, text)
    return kept[1]


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"s" + _pack_size(len(data)) + data


def _number(number: int) -> bytes:
    return b"i" + _pack_int(number)


def _make_room(cache: dict[Any, bytes]) -> None:
    """Keep what is made up at run time from piling up."""
    if len(cache) >= 1000:
        cache.clear()


def _position(frame_data: bytes, body_data: bytes) -> Position:
    said, end = decode(frame_data)
    if said[0] != VERSION:
        hint = "run the newer version of HAFTA that wrote it, or begin anew: hafta checkpoints discard"
        raise StoreError(f"the record has version {said[0]}, and this program reads {VERSION}", hint, kind="newer")
    _, levels, *rest = said
    if end != len(frame_data):
        raise ValueError(f"{len(frame_data) - end} bytes too many")
    *outer, inner = [_read_level(level) for level in levels]
    checkpoint, state = _body(body_data)
    return Position((*outer, inner.replace(checkpoint=checkpoint, state=state)), *rest)


def _read_level(said: list[Any]) -> Level:
    sequence, version, nodes, node, phase, attempt, checkpoint, state, stack = said
    visits = tuple(_read_visit(visit, nodes) for visit in stack)
    return Level(sequence, version, tuple(nodes), node, phase, attempt, checkpoint, state, visits)


def _read_visit(said: Any, nodes: list[str]) -> Visit:
    node, *rest = said if isinstance(said, list) else [said]
    if isinstance(node, int):
        node = nodes[node] if node >= 0 else nodes[len(nodes)]
    return Visit(node, *(rest or (0,)))


def _body(data: bytes) -> tuple[int, dict[str, Any]]:
    (checkpoint,) = _INT.unpack_from(data)
    state, at = {}, _INT.size
    while at < len(data):
        key, at = _decode_key(data, at)
        state[key], at = decode(data, at)
    return checkpoint, state


def _too_large(state: Mapping[str, Any], size: int, room: int) -> StoreError:
    sizes = {key: len(encode(value, key)) for key, value in state.items()}
    largest = max(sizes, key=lambda key: sizes[key], default="")
    told = f"the largest is {largest!r} with {sizes[largest]}" if largest else "there is no state"
    hint = "record less (a path rather than contents), or give the store more room"
    return StoreError(f"the state needs {size} bytes and there is room for {room}; {told}", hint, kind="too-large")
