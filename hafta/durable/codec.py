"""Positions and values as bytes, and back.

1. The frame holds all that stays the same during a visit to a node; it is encoded at a transition. The body holds the
   innermost checkpoint and its state; it is encoded at every checkpoint, so bytes, int and str have a fast path.
2. Values are None, bool, int, float, str, bytes, and lists, tuples and dicts of them with str keys. They come back as
   they were, so a subclass (Counter, IntEnum, a named tuple) is refused when it is recorded: it would come back as
   something else, and only after a crash.
3. Not json, whose import costs as much as starting Python and which has no bytes; never pickle, which runs what it
   reads; nor marshal, whose format is that of one Python.
4. Decoding trusts nothing, because a checksum does not check types: a length that leads out of the data, an unknown
   tag, endless nesting, or a number where a name should be is a StoreError. What position() returns has the types that
   position.py promises.

Invariant: `position(frame(p), body(c, s))` is `p` with checkpoint `c` and state `s`.
"""

from __future__ import annotations

import struct
from struct import Struct

from hafta.durable import origin
from hafta.durable.origin import a, count
from hafta.durable.position import SequencePosition, Visit
from hafta.engine.machine import Phase
from hafta.engine.resume import FUNCTIONS, Doing
from hafta.engine.words import Act, Verdict
from hafta.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hafta.durable.position import Position

DEEPEST = 20  # containers within each other
LONGEST_INT = 1000  # bytes: beyond some 2,400 digits a number is not what a state is for

_SIZE = Struct("<I")
_INT = Struct("<q")
_FLOAT = Struct("<d")
_pack_size = _SIZE.pack
_pack_int = _INT.pack
_pack_number = Struct("<cq").pack  # with the tag before it, as the next two
_pack_numbers = Struct("<cqcq").pack
_pack_times = Struct("<cdcd").pack
_keys: dict[str, bytes] = {}  # the keys of a program's states, encoded; programs have few
_names: dict[str, bytes] = {}  # the names of its nodes
_shapes: dict[tuple[str, str, tuple[str, ...]], bytes] = {}  # what stays the same of each sequence, encoded
_largest: dict[tuple[str, ...], int] = {}  # the size of the largest doing, by the nodes of a sequence
#: By format: how a frame begins. The first has six values, and each further one more.
_OPENINGS = {form: b"l" + _pack_size(form + 4) + b"i" + _pack_int(form) + b"l" for form in origin.FORMATS}
_NO_STATE = b"d" + _pack_size(0)


def frame(position: Position) -> bytes:
    """Return the frame of the records that follow. Raises StoreError of kind "value"."""
    *outer, inner = position.sequences
    stand = [_sequence(one, one.checkpoint, one.state) for one in outer]
    stand.append(_sequence(inner, 0, None))
    times = _pack_times(b"f", position.entered, b"f", position.boottime)
    ends = times + (_names.get(position.boot) or _name(position.boot)) + _number(position.pid)
    if position.cause is not None or position.host:
        ends += b"".join(encode(value, "cause") for value in origin.more(position))
    return b"".join((_OPENINGS[origin.form(position)], _pack_size(len(stand)), *stand, ends))


def growth(sequences: tuple[SequencePosition, ...]) -> int:
    """Return by how many bytes a frame may still grow while the nodes stay: by what goes on there, and what follows."""
    size = 0
    for one in sequences:
        nodes = one.nodes
        size += (_largest.get(nodes) or _largest_doing(nodes)) - len(_doing(one.doing))
    return size


def body(checkpoint: int, state: Mapping[str, Any], room: int) -> bytes:
    """Return the body of a checkpoint. Raises StoreError: "value" or "too-large", naming the key."""
    try:
        text = _pack_int(checkpoint)
    except struct.error as error:
        hint = "a checkpoint is a small integer; put large values into the state"
        raise StoreError(f"checkpoint {checkpoint} does not fit into 64 bits", hint, kind="value") from error
    for key, value in state.items():
        kind = type(value)
        name = _keys.get(key) or _key(key, "state")
        if kind is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            text += name + _pack_number(b"i", value)
        elif kind is str:
            data = value.encode("utf-8", "surrogatepass")
            text += name + b"s" + _pack_size(len(data)) + data
        elif kind is bytes:
            text += name + b"b" + _pack_size(len(value)) + value
        else:
            text += name + encode(value, key, 1)  # the state is a dict itself: so it stands in the frame, later
    if len(text) > room:
        raise _too_large(state, len(text), room)
    return text


def position(frame_data: bytes, body_data: bytes) -> Position:
    """Return what a record says. Raises StoreError: "damaged" for what cannot be understood, "format"."""
    try:
        return _position(frame_data, body_data)
    except (IndexError, KeyError, TypeError, ValueError, struct.error, RecursionError) as error:
        hint = "another program may have written it; to start from the beginning: hafta checkpoints discard"
        raise StoreError(f"the record cannot be understood: {error}", hint, kind="damaged") from error


def copied(values: dict[str, Any], what: str) -> dict[str, Any]:
    """Return a copy of values as they would come back. Raises StoreError of kind "value", naming the key."""
    copy: dict[str, Any] = decode(encode(values, what))[0]
    return copy


def encode(value: Any, key: str, depth: int = 0) -> bytes:
    """Return a value as bytes. `key` names it in the error. Raises StoreError of kind "value"."""
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        raise _refusal(value, key)
    return encoder(value, key, depth)


def decode(data: bytes, at: int = 0, depth: int = 0) -> tuple[Any, int]:
    """Return a value and where the next one begins. Raises ValueError, IndexError or struct.error."""
    tag = data[at : at + 1]
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at + 1
    if tag == b"i":
        return _INT.unpack_from(data, at + 1)[0], at + 9
    if tag == b"f":
        return _FLOAT.unpack_from(data, at + 1)[0], at + 9
    (size,) = _SIZE.unpack_from(data, at + 1)
    if tag in {b"l", b"t", b"d"}:
        items, end = _decode_many(data, at + 5, size, depth, pairs=tag == b"d")
        return (tuple(items) if tag == b"t" else items), end
    end = at + 5 + size
    if end > len(data):
        raise ValueError(f"{size} bytes at {at} lead out of it")
    return _decode_bytes(tag, data[at + 5 : end]), end


_CONSTANTS = {b"N": None, b"T": True, b"F": False}


def _decode_bytes(tag: bytes, data: bytes) -> Any:
    if tag == b"s":
        return data.decode("utf-8", "surrogatepass")
    if tag == b"I" and len(data) <= LONGEST_INT:
        return int.from_bytes(data, "little", signed=True)
    if tag != b"b":
        raise ValueError(f"there is no kind {tag!r} of {len(data)} bytes")
    return data


def _encode_int(value: int, key: str, _depth: int) -> bytes:
    if -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        return _pack_number(b"i", value)
    size = value.bit_length() // 8 + 1
    if size > LONGEST_INT:
        raise StoreError(f"{key}: an int of {size} bytes is too large", "record it as text or bytes", kind="value")
    return b"I" + _pack_size(size) + value.to_bytes(size, "little", signed=True)


def _encode_items(value: list[Any] | tuple[Any, ...], key: str, depth: int) -> bytes:
    _check_depth(key, depth)
    parts = [encode(item, key, depth + 1) for item in value]
    return (b"l" if type(value) is list else b"t") + _pack_size(len(parts)) + b"".join(parts)


def _encode_dict(value: dict[str, Any], key: str, depth: int) -> bytes:
    _check_depth(key, depth)
    parts = [
        (_keys.get(name) or _key(name, key)) + encode(item, f"{key}.{name}" if depth or key else name, depth + 1)
        for name, item in value.items()
    ]
    return b"d" + _pack_size(len(parts)) + b"".join(parts)


_ENCODERS: dict[type, Callable[[Any, str, int], bytes]] = {
    type(None): lambda _value, _key, _depth: b"N",
    bool: lambda value, _key, _depth: b"T" if value else b"F",
    int: _encode_int,
    float: lambda value, _key, _depth: b"f" + _FLOAT.pack(value),
    str: lambda value, _key, _depth: _text(value),
    bytes: lambda value, _key, _depth: b"b" + _pack_size(len(value)) + value,
    list: _encode_items,
    tuple: _encode_items,
    dict: _encode_dict,
}


def _check_depth(key: str, depth: int) -> None:
    if depth >= DEEPEST:
        raise StoreError(f"{key}: nested deeper than {DEEPEST}", "record less", kind="value")


def _refusal(value: object, key: str) -> StoreError:
    """Return the error for a value that would not come back as it is."""
    name = type(value).__name__
    base = next((base.__name__ for base in _ENCODERS if isinstance(value, base)), None)
    if base is not None:
        hint = f"record {base}(value), and convert it where you read it"
        return StoreError(f"{key}: a value of type {name} would come back as {base}", hint, kind="value")
    hint = "record numbers, text, bytes, lists, tuples or dicts; a file or a socket belongs into the userdata"
    return StoreError(f"{key}: a value of type {name} cannot be recorded", hint, kind="value")


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


def _key(key: str, where: str) -> bytes:
    if type(key) is not str:
        raise StoreError(f"{where}: the key {key!r} is not a str", "name each value by a str", kind="value")
    _make_room(_keys)
    data = key.encode("utf-8", "surrogatepass")
    _keys[key] = encoded = _pack_size(len(data)) + data
    return encoded


def _decode_key(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _SIZE.unpack_from(data, at)[0]
    if end > len(data):
        raise ValueError(f"the key at {at} leads out of it")
    return data[at + 4 : end].decode("utf-8", "surrogatepass"), end


def _sequence(one: SequencePosition, checkpoint: int, state: dict[str, Any] | None) -> bytes:
    sequence, version, nodes, name, doing, attempt, _, _, visits, kept = one.values()
    shape = sequence, version, nodes
    fixed = _shapes.get(shape) or _fixed(shape)
    node = _names.get(name) or _name(name)
    counts = _pack_numbers(b"i", attempt, b"i", checkpoint)
    said = encode(state, name) if state else _NO_STATE
    stack = [_visit(visit, nodes) for visit in visits]
    own = b"N" if kept is None else _encode_dict(kept, "", 0)
    return b"".join((fixed, node, _doing(doing), counts, said, b"l", _pack_size(len(stack)), *stack, own))


def _fixed(shape: tuple[str, str, tuple[str, ...]]) -> bytes:
    """Return the part of a sequence's position that is the same for all of its life."""
    _make_room(_shapes)
    _shapes[shape] = fixed = b"l" + _pack_size(10) + b"".join(encode(part, "sequence") for part in shape)
    return fixed


def _name(name: str) -> bytes:
    _make_room(_names)
    _names[name] = encoded = _text(name)
    return encoded


def _doing(doing: Doing) -> bytes:
    """Return it as bytes, kept with it: the usual ones are constants."""
    kept: bytes | None = doing.__dict__.get("_bytes")
    if kept is None:
        then = None if doing.then is None else [doing.then.act.name, doing.then.to]
        said = [
            doing.function.name, doing.begun, then, doing.deaths, doing.stopped, doing.reruns, doing.entries,
        ]  # fmt: skip
        doing.__dict__["_bytes"] = kept = encode(said, "doing")
    return kept


def _largest_doing(nodes: tuple[str, ...]) -> int:
    """Return how many bytes a doing has at most that leads to one of these nodes."""
    _make_room(_largest)
    act, function = (max((each.name for each in kind), key=len) for kind in (Act, FUNCTIONS))
    then = [act, max(nodes, key=lambda node: len(_text(node)), default="")]
    _largest[nodes] = size = len(encode([function, True, then, 0, False, 0, 0], "doing"))
    return size


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
    return _pack_number(b"i", number)


def _make_room(cache: dict[Any, Any]) -> None:
    """Keep what is made up at run time from piling up."""
    if len(cache) >= 1000:
        cache.clear()


def _position(frame_data: bytes, body_data: bytes) -> Position:
    said, end = decode(frame_data)
    if said[0] not in origin.FORMATS:
        hint = "run the version of HAFTA that wrote it; or start from the beginning: hafta checkpoints discard"
        reads = f"{origin.FORMATS[0]} to {origin.FORMATS[-1]}"
        raise StoreError(f"the record has format {said[0]!r}, and this program reads {reads}", hint, kind="format")
    form, sequences, *rest = said
    if len(said) != form + 4:
        raise ValueError(f"{len(said)} values in format {form}")
    if end != len(frame_data):
        raise ValueError(f"{len(frame_data) - end} bytes too many")
    *outer, inner = [_read_sequence(one) for one in sequences]
    checkpoint, state = _body(body_data)
    inner = inner.replace(checkpoint=checkpoint, state=state)
    return origin.read((*outer, inner), rest)


def _read_sequence(said: list[Any]) -> SequencePosition:
    sequence, version, nodes, node, doing, attempt, checkpoint, state, stack, kept = said
    names = tuple(a(str, name) for name in a(tuple, nodes))
    visits = tuple(_read_visit(visit, names) for visit in a(list, stack))
    return SequencePosition(
        a(str, sequence), a(str, version), names, a(str, node), _read_doing(doing), count(attempt),
        a(int, checkpoint), a(dict, state), visits, None if kept is None else a(dict, kept),
    )  # fmt: skip


def _read_doing(said: list[Any]) -> Doing:
    function, begun, then, deaths, stopped, reruns, entries = said
    phase = Phase[function]
    if phase not in FUNCTIONS and phase is not Phase.DONE:
        raise ValueError(f"nothing is recorded as {function}")
    if phase is Phase.UNWIND and not begun:
        raise ValueError("an unwinding that has not begun")
    verdict = None
    if then is not None:
        act, to = then
        verdict = Verdict(Act[act], None if to is None else a(str, to))
    return Doing(
        phase, a(bool, begun), verdict, count(deaths), a(bool, stopped),
        None if reruns is None else count(reruns), None if entries is None else count(entries),
    )  # fmt: skip


def _read_visit(said: Any, nodes: tuple[str, ...]) -> Visit:
    node, *rest = said if isinstance(said, list) else [said]
    if type(node) is int:
        node = nodes[count(node)]
    checkpoint, state = rest or (0, {})
    return Visit(a(str, node), a(int, checkpoint), a(dict, state))


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
    most = f"the largest is {largest!r} with {sizes[largest]}" if largest else "there is no state"
    hint = "record less (a path instead of the contents), or give the store more room"
    return StoreError(f"the state needs {size} bytes and there is room for {room}; {most}", hint, kind="too-large")
