"""What a record says comes back as it was; what is none of ours is an error."""

import enum
import math
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafta.errors import StoreError
from hafta.stores import codec
from hafta.stores.codec import Level, Position, Visit

TEXT = st.text(max_size=20) | st.binary(max_size=20).map(os.fsdecode)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(max_size=30)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
STATES = st.dictionaries(TEXT, VALUES, max_size=4)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
VISITS = st.builds(Visit, TEXT, INT64, STATES)
NAMES = st.lists(TEXT, max_size=5).map(tuple)
LEVELS = st.builds(
    Level, TEXT, TEXT, NAMES, TEXT, TEXT, st.integers(0, 1000), INT64, STATES, st.lists(VISITS, max_size=3).map(tuple)
)
TIMES = st.floats(0, 1e12)
POSITIONS = st.builds(
    Position, st.lists(LEVELS, min_size=1, max_size=3).map(tuple), TIMES, TIMES, TEXT, st.integers(0, 1 << 22)
)

LEVEL = Level("orders", "2", ("take", "pay", "ship"), "pay", "normal", 1, 0, {}, (Visit("take", 3, {"id": 7}),))
POSITION = Position((LEVEL,), 1.5, 2.5, "boot", 42)
ROOM = 4000


@given(POSITIONS, INT64, STATES)
def test_what_is_recorded_comes_back(position, checkpoint, state):
    *outer, inner = position.levels
    expected = position.replace(levels=(*outer, inner.replace(checkpoint=checkpoint, state=state)))
    assert codec.position(codec.frame(position), codec.body(checkpoint, state, 1 << 20)) == expected


def test_a_visit_costs_nine_bytes_whatever_the_name_of_its_node():
    nodes = tuple(f"a-node-of-a-long-name-{n}" for n in range(50))
    at = lambda visited: Position((Level("s", "", nodes, nodes[-1], "normal", stack=visited),), 0.0, 0.0, "", 1)
    bare = codec.frame(at(()))
    whole = codec.frame(at(tuple(Visit(node, 0) for node in nodes[:-1])))
    assert len(whole) - len(bare) == 9 * 49
    assert codec.position(whole, codec.body(0, {}, ROOM)) == at(tuple(Visit(node, 0) for node in nodes[:-1]))


@pytest.mark.parametrize("index", [3, -1, -4])
def test_a_visit_of_a_node_that_is_none_is_damage(index):
    frame = codec.frame(POSITION)
    told = b"l" + struct.pack("<I", 3) + b"i" + struct.pack("<q", 0) + b"i" + struct.pack("<q", 3)
    assert told in frame
    frame = frame.replace(told, told.replace(struct.pack("<q", 0), struct.pack("<q", index), 1))
    with pytest.raises(StoreError, match="the record cannot be understood") as caught:
        codec.position(frame, codec.body(0, {}, ROOM))
    assert caught.value.kind == "damaged"


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_other_bytes_are_an_error_of_kind_damaged(frame, body):
    with pytest.raises(StoreError, match="the record cannot be understood") as caught:
        codec.position(frame, body)
    assert caught.value.kind == "damaged"
    assert "discard" in caught.value.hint


@given(st.data())
def test_a_changed_byte_is_an_error_or_another_value_but_nothing_worse(data):
    said = bytearray(codec.frame(POSITION))
    said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
    try:
        codec.position(bytes(said), codec.body(1, {}, ROOM))
    except StoreError as error:
        assert error.kind in {"damaged", "newer"}  # noqa: PT017 - not raising is fine, too


@pytest.mark.parametrize("state", [b"\xff\0\0\0key", b"\3\0\0\0keys\xff\0\0\0x", b"\3\0\0\0keyx\1\0\0\0x", b"\3"])
def test_a_state_that_leads_out_of_the_record_is_damage(state):
    with pytest.raises(StoreError, match="the record cannot be understood"):
        codec.position(codec.frame(POSITION), bytes(8) + state)


def test_bytes_behind_the_end_are_damage():
    with pytest.raises(StoreError, match="1 bytes too many"):
        codec.position(codec.frame(POSITION) + b"N", codec.body(1, {}, ROOM))


def test_a_record_of_a_newer_version_says_so(monkeypatch):
    said = codec.frame(POSITION)
    monkeypatch.setattr(codec, "VERSION", 0)
    with pytest.raises(StoreError, match="the record has version 1, and this program reads 0") as caught:
        codec.position(said, codec.body(1, {}, ROOM))
    assert caught.value.kind == "newer"
    assert "newer version" in caught.value.hint


def test_the_frame_does_not_hold_what_the_body_does():
    moved = LEVEL.replace(checkpoint=5, state={"x": 1})
    assert codec.frame(POSITION.replace(levels=(moved,))) == codec.frame(POSITION)


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "back"),
    [
        (Colour.RED, 3),
        (Name("n"), "n"),
        ((1, (2,)), [1, [2]]),
        (True, True),
        (1 << 200, 1 << 200),
        (-(1 << 63) - 1, -(1 << 63) - 1),
        (math.inf, math.inf),
        ("\udc80", "\udc80"),
        ({"a": {"b": [None, b"\0"]}}, {"a": {"b": [None, b"\0"]}}),
    ],
)
def test_values_beside_the_fast_path(value, back):
    said = codec.body(Colour.RED, {"key": value}, ROOM)
    found = codec.position(codec.frame(POSITION), said).levels[0]
    assert found.state == {"key": back}
    assert type(found.state["key"]) is type(back)
    assert found.checkpoint == 3


def test_a_value_that_cannot_be_recorded_is_named_with_its_type():
    with pytest.raises(StoreError, match="handle: a object cannot be recorded") as caught:
        codec.body(0, {"fine": 1, "handle": object()}, ROOM)
    assert caught.value.kind == "value"
    assert "userdata" in caught.value.hint
    with pytest.raises(StoreError, match=r"job\.files: a set cannot be recorded"):
        codec.body(0, {"job": {"files": {1}}}, ROOM)
    with pytest.raises(StoreError, match="1: a key is a str"):
        codec.body(0, {"job": {1: 2}}, ROOM)


def test_a_checkpoint_beyond_64_bits_is_a_clear_error():
    with pytest.raises(StoreError, match="checkpoint 9223372036854775808 does not fit into 64 bits") as caught:
        codec.body(1 << 63, {}, ROOM)
    assert caught.value.kind == "value"
    assert "small integer" in caught.value.hint


def test_endless_nesting_is_an_error():
    endless: list = []
    endless.append(endless)
    with pytest.raises(StoreError, match="endless: nested deeper than 20"):
        codec.body(0, {"endless": endless}, ROOM)
    deep = b"l\x01\0\0\0" * 5000 + b"N"
    with pytest.raises(StoreError, match="nested 20 deep"):
        codec.position(deep, b"")


def test_a_state_that_does_not_fit_names_its_largest_value():
    says = r"needs 5\d\d\d bytes and there is room for 4000; the largest is 'blob' with 5005"
    with pytest.raises(StoreError, match=says) as caught:
        codec.body(0, {"small": 1, "blob": b"x" * 5000}, ROOM)
    assert caught.value.kind == "too-large"
    assert "give the store more room" in caught.value.hint
    with pytest.raises(StoreError, match="there is no state"):
        codec.body(0, {}, 7)


def test_names_made_up_at_run_time_do_not_pile_up():
    for n in range(2500):
        codec.body(0, {f"key-{n}": n}, ROOM)
        codec.frame(POSITION.replace(levels=(LEVEL.replace(sequence=f"s-{n}"),)))
    assert len(codec._keys) <= 1000
    assert len(codec._levels) <= 1000
