"""What a record says comes back as it was; what is not one of ours is an error."""

import collections
import enum
import math
import os
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafta.death import Death
from hafta.durable import codec
from hafta.durable.position import Position, SequencePosition, Visit
from hafta.engine.machine import Phase
from hafta.engine.resume import ENDED, NEXT, RUNS, Doing
from hafta.engine.words import EXIT, FAIL_SEQUENCE, ROLL_BACK_PREVIOUS, proceed
from hafta.errors import StoreError

TEXT = st.text(max_size=20) | st.binary(max_size=20).map(os.fsdecode)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(max_size=30)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)
STATES = st.dictionaries(TEXT, VALUES, max_size=4)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
VISITS = st.builds(Visit, TEXT, INT64, STATES)
NAMES = st.lists(TEXT, max_size=5).map(tuple)
COUNTS = st.integers(0, 1000)
THEN = st.none() | st.sampled_from([EXIT, FAIL_SEQUENCE, ROLL_BACK_PREVIOUS]) | TEXT.map(proceed)
DOINGS = st.builds(
    Doing, st.sampled_from([Phase.NORMAL, Phase.ROLLBACK, Phase.DONE]), st.booleans(), THEN, COUNTS, st.booleans(),
    st.none() | COUNTS, st.none() | COUNTS,
) | st.builds(Doing, st.just(Phase.UNWIND), st.just(True), THEN, COUNTS)  # fmt: skip
SEQUENCES = st.builds(
    SequencePosition, TEXT, TEXT, NAMES, TEXT, DOINGS, COUNTS, INT64, STATES,
    st.lists(VISITS, max_size=3).map(tuple), st.none() | STATES,
)  # fmt: skip
TIMES = st.floats(0, 1e12)
POSITIONS = st.builds(
    Position, st.lists(SEQUENCES, min_size=1, max_size=3).map(tuple), TIMES, TIMES, TEXT, st.integers(0, 1 << 22),
    st.none() | st.builds(Death, COUNTS, COUNTS, COUNTS, TEXT, TEXT, TEXT, TEXT),
) | st.builds(
    Position, st.just((SequencePosition("s", "", ("n",), "n", RUNS),)), TIMES, TIMES, TEXT, COUNTS,
    st.none() | st.builds(Death, COUNTS, COUNTS, COUNTS, TEXT, TEXT, TEXT, TEXT, TEXT, COUNTS),
    TEXT.filter(bool), TEXT,
)  # fmt: skip

ORDERS = SequencePosition(
    "orders", "2", ("take", "pay", "ship"), "pay", RUNS, 1, 0, {}, (Visit("take", 3, {"id": 7}),), {"sum": 1}
)
POSITION = Position((ORDERS,), 1.5, 2.5, "boot", 42, Death(7, signal=11, node="pay"))
ROOM = 4000


@settings(max_examples=100)  # not more of them: such large values take 30 ms each to make
@given(POSITIONS, INT64, STATES)
def test_what_is_recorded_comes_back(position, checkpoint, state):
    *outer, inner = position.sequences
    expected = position.replace(sequences=(*outer, inner.replace(checkpoint=checkpoint, state=state)))
    assert codec.position(codec.frame(position), codec.body(checkpoint, state, 1 << 20)) == expected


def test_a_visit_costs_nine_bytes_whatever_the_name_of_its_node():
    nodes = tuple(f"a-node-of-a-long-name-{n}" for n in range(50))
    at = lambda visited: Position((SequencePosition("s", "", nodes, nodes[-1], RUNS, stack=visited),), 0.0, 0.0, "", 1)
    bare = codec.frame(at(()))
    whole = codec.frame(at(tuple(Visit(node, 0) for node in nodes[:-1])))
    assert len(whole) - len(bare) == 9 * 49
    assert codec.position(whole, codec.body(0, {}, ROOM)) == at(tuple(Visit(node, 0) for node in nodes[:-1]))


@pytest.mark.parametrize("index", [3, -1, -4])
def test_a_visit_of_a_node_that_there_is_not_is_damage(index):
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
        assert error.kind in {"damaged", "format"}  # noqa: PT017 - not raising is fine, too


@pytest.mark.parametrize("state", [b"\xff\0\0\0key", b"\3\0\0\0keys\xff\0\0\0x", b"\3\0\0\0keyx\1\0\0\0x", b"\3"])
def test_a_state_that_leads_out_of_the_record_is_damage(state):
    with pytest.raises(StoreError, match="the record cannot be understood"):
        codec.position(codec.frame(POSITION), bytes(8) + state)


def test_bytes_behind_the_end_are_damage():
    with pytest.raises(StoreError, match="1 bytes too many"):
        codec.position(codec.frame(POSITION) + b"N", codec.body(1, {}, ROOM))


@pytest.mark.parametrize("form", [1, 5, "2", None, []])
def test_a_record_of_another_format_says_so(form):
    said = codec.encode([form, "whatever a later version says"], "")
    with pytest.raises(
        StoreError, match=re.escape(f"the record has format {form!r}, and this program reads 2 to 4")
    ) as caught:
        codec.position(said, codec.body(1, {}, ROOM))
    assert caught.value.kind == "format"
    assert "run the version of HAFTA that wrote it" in caught.value.hint


@pytest.mark.parametrize(
    ("more", "form", "parts"),
    [
        ({"cause": None}, 2, 6), ({"cause": Death(7, signal=11)}, 3, 7), ({"cause": None, "host": "a"}, 4, 8),
        ({"cause": Death(7, why="host-lost", host="b", token=3), "host": "a", "bound": "n"}, 4, 8),
    ],
)  # fmt: skip
def test_a_record_with_a_cause_or_a_host_has_a_format_of_its_own_so_that_older_programs_do_not_call_it_damaged(
    more, form, parts
):
    whole, _ = codec.decode(codec.frame(POSITION.replace(**more)))
    assert (whole[0], len(whole)) == (form, parts)
    found = codec.position(codec.encode(whole, ""), codec.body(0, {}, ROOM))
    assert found == POSITION.replace(**more)
    with pytest.raises(StoreError, match="cannot be understood"):
        codec.position(codec.encode([*whole, 1], ""), codec.body(0, {}, ROOM))


def said(**changes):
    """A frame of the one position, some parts of which are not what they should be."""
    names = ("sequence", "version", "nodes", "node", "doing", "attempt", "checkpoint", "state", "stack", "kept")
    whole, _ = codec.decode(codec.frame(POSITION))
    one = dict(zip(names, whole[1][0], strict=True)) | changes
    return codec.encode([whole[0], [list(one.values())], *whole[2:]], "")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("sequence", 3), ("version", None), ("nodes", (1,)), ("nodes", ["take"]), ("nodes", "take"), ("nodes", None),
        ("node", b"pay"),
        ("attempt", -1), ("attempt", 1.0), ("attempt", True), ("checkpoint", "1"), ("state", [1]), ("state", None),
        ("stack", [[0, 1]]), ("stack", [[0, 1, 2]]), ("stack", [["take", "1", {}]]), ("stack", [9]), ("stack", 7),
        ("kept", []), ("kept", 5), ("doing", []), ("doing", None), ("doing", "normal"),
        ("doing", ["NOWHERE", True, None, 0, False, None, None]), ("doing", ["ASK", True, None, 0, False, None, None]),
        ("doing", ["NORMAL", 1, None, 0, False, None, None]), ("doing", ["NORMAL", True, None, 0, False, -1, None]),
        ("doing", ["NORMAL", True, ["JUMP", None], 0, False, None, None]),
        ("doing", ["UNWIND", True, ["PROCEED", 3], 0, False, None, None]),
        ("doing", ["UNWIND", False, ["EXIT", None], 0, False, None, None]),
    ],
)  # fmt: skip
def test_a_part_of_another_type_is_damage_though_the_bytes_are_whole(part, value):
    """A checksum proves no types: what position() returns has those that position.py promises."""
    with pytest.raises(StoreError, match="the record cannot be understood") as caught:
        codec.position(said(**{part: value}), codec.body(0, {}, ROOM))
    assert caught.value.kind == "damaged"


@pytest.mark.parametrize("entered", [math.nan, math.inf, 1e15, -1e15, "now"])
def test_a_time_that_is_not_one_is_damage(entered):
    whole, _ = codec.decode(codec.frame(POSITION))
    whole[2] = entered
    with pytest.raises(StoreError, match="the record cannot be understood"):
        codec.position(codec.encode(whole, ""), codec.body(0, {}, ROOM))


def test_the_frame_does_not_hold_what_the_body_does():
    moved = ORDERS.replace(checkpoint=5, state={"x": 1})
    assert codec.frame(POSITION.replace(sequences=(moved,))) == codec.frame(POSITION)


class Colour(enum.IntEnum):
    RED = 3


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        (1, (2,), [3]), True, 1 << 200, -(1 << 63) - 1, math.inf, "\udc80", {"a": {"b": [None, b"\0", ()]}},
    ],
)  # fmt: skip
def test_values_that_the_fast_path_does_not_take(value):
    found = codec.position(codec.frame(POSITION), codec.body(Colour.RED, {"key": value}, ROOM)).sequences[0]
    assert found.state == {"key": value}
    assert type(found.state["key"]) is type(value)
    assert found.checkpoint == 3


Place = collections.namedtuple("Place", "x y")  # noqa: PYI024 - what people have


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Colour.RED, "Colour would come back as int"), (Name("n"), "Name would come back as str"),
        (Place(1, 2), "Place would come back as tuple"),
        (collections.Counter("aab"), "Counter would come back as dict"),
        (collections.OrderedDict(), "OrderedDict would come back as dict"),
        (collections.defaultdict(int), "defaultdict would come back as dict"),
    ],
)  # fmt: skip
def test_what_would_come_back_as_another_type_is_refused_when_it_is_recorded(value, words):
    for state, key in (({"v": value}, "v"), ({"many": {"deep": [value]}}, r"many\.deep")):
        with pytest.raises(StoreError, match=f"^{key}: a value of type {words}") as caught:
            codec.body(0, state, ROOM)
        assert caught.value.kind == "value"
        assert "convert it where you read it" in caught.value.hint


ENDLESS: list = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("checkpoint", "state", "room", "message", "kind", "hint"),
    [
        (0, {"n": 10**4000}, ROOM, "n: an int of 1662 bytes is too large", "value", ""),
        (
            0, {"fine": 1, "handle": object()}, ROOM,
            "handle: a value of type object cannot be recorded", "value", "userdata",
        ),
        (0, {"job": {"files": {1}}}, ROOM, r"job\.files: a value of type set cannot be recorded", "value", "userdata"),
        (0, {"job": {1: 2}}, ROOM, "job: the key 1 is not a str", "value", ""),
        (1 << 63, {}, ROOM, "checkpoint 9223372036854775808 does not fit into 64 bits", "value", "small integer"),
        (0, {"endless": ENDLESS}, ROOM, "endless: nested deeper than 20", "value", ""),
        (
            0, {"small": 1, "blob": b"x" * 5000}, ROOM,
            r"needs 5\d\d\d bytes and there is room for 4000; the largest is 'blob' with 5005", "too-large",
            "give the store more room",
        ),
        (0, {}, 7, "there is no state", "too-large", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_is_named_with_what_to_do(checkpoint, state, room, message, kind, hint):
    with pytest.raises(StoreError, match=message) as caught:
        codec.body(checkpoint, state, room)
    assert caught.value.kind == kind
    assert hint in caught.value.hint


def test_twenty_containers_within_each_other_are_recorded_and_one_more_is_an_error():
    value = 1
    for _ in range(20):
        value = [value]
    assert codec.decode(codec.encode(value, "v"))[0] == value
    with pytest.raises(StoreError, match="v: nested deeper than 20"):
        codec.encode([value], "v")
    with pytest.raises(StoreError, match="nested 20 deep"):
        codec.position(b"l\x01\0\0\0" * 21 + b"N", b"")


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: (value,), lambda value: {"k": value}])
def test_what_is_nested_as_deep_as_may_be_comes_back_and_nothing_deeper_is_recorded(wrap):
    value = 1
    for _ in range(codec.DEEPEST - 1):  # the state itself is a dict
        value = wrap(value)
    assert codec.position(codec.frame(POSITION), codec.body(0, {"v": value}, ROOM)).sequences[-1].state == {"v": value}
    with pytest.raises(StoreError, match="nested deeper than 20"):
        codec.body(0, {"v": wrap(value)}, ROOM)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_int_as_large_as_may_be_comes_back_and_a_larger_one_is_refused(sign):
    largest = sign * (2 ** (8 * codec.LONGEST_INT - 1) - 1)
    state = {"v": largest}
    assert codec.position(codec.frame(POSITION), codec.body(0, state, ROOM)).sequences[-1].state == state
    with pytest.raises(StoreError, match="v: an int of 1001 bytes is too large"):
        codec.body(0, {"v": 2 * largest}, ROOM)


def test_a_state_may_fill_its_room_to_the_byte():
    size = len(codec.body(0, {"v": 1}, ROOM))
    assert len(codec.body(0, {"v": 1}, size)) == size
    with pytest.raises(StoreError, match=f"needs {size} bytes and there is room for {size - 1}"):
        codec.body(0, {"v": 1}, size - 1)


def test_names_made_up_at_run_time_do_not_pile_up():
    for n in range(2500):
        codec.body(0, {f"key-{n}": n}, ROOM)
        codec.frame(POSITION.replace(sequences=(ORDERS.replace(sequence=f"s-{n}", node=f"n-{n}"),)))
    assert len(codec._keys) <= 1000
    assert len(codec._shapes) <= 1000
    assert len(codec._names) <= 1000


@pytest.mark.parametrize("doing", [RUNS, NEXT, ENDED])
def test_what_goes_on_comes_back_equal(doing):
    found = codec.position(codec.frame(POSITION.replace(sequences=(ORDERS.replace(doing=doing),))), bytes(8))
    assert found.sequences[0].doing == doing
