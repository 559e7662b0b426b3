"""Bytes to records: what is whole, what is newest, what is damage. The bulk is in tests/torture."""

import struct
import zlib

import pytest

from hafta.stores.file import layout
from hafta.stores.file.layout import FIRST, HEAD_SIZE, Geometry, Saved
from hafta.testing import stores as promises

GEOMETRY = Geometry(4096, b"12345678")


def file_of(*slots, geometry=GEOMETRY):
    return bytes(FIRST) + b"".join(slot.ljust(geometry.slot_size, b"\0") for slot in slots)


def record(number, synced=1, geometry=GEOMETRY):
    return layout.record(geometry, synced, number, b"frame", b"body %d" % number)


def refused(kind, data):
    return promises.refused(kind, lambda: layout.read(data, "/p"))


def test_a_new_file_has_three_empty_records_and_knows_its_newest_as_synced():
    image = layout.read(layout.blank(GEOMETRY), "/p")
    assert (image.newest, image.pinned, image.synced, image.saved) == (2, 2, 3, Saved(3, b"", b""))
    assert image.bad == {}
    assert HEAD_SIZE == 40, "the head never changes its size"
    assert len(layout.record(GEOMETRY, 0, 1, b"ab", b"cde")) == layout.OVERHEAD + 5
    assert GEOMETRY.capacity() == 4096 - layout.OVERHEAD


@pytest.mark.parametrize(("synced", "pinned"), [(record(5), 1), (b"x", None)], ids=["known", "damaged"])
def test_the_newest_record_counts_and_the_synced_one_is_pinned_or_not_guessed(synced, pinned):
    image = layout.read(file_of(record(7, synced=5), synced, record(6, synced=5)), "/p")
    assert (image.newest, image.pinned, image.saved.body) == (0, pinned, b"body 7")


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        (b"", "empty"),
        (b"x", "not a record"),
        (layout.UNREADABLE, "the disk cannot read it"),
        (record(9)[:30], "the head's checksum is wrong"),
        (record(9)[:50], "the record's checksum is wrong"),
    ],
)
def test_damage_is_told_in_words(slot, reason):
    image = layout.read(file_of(record(1), slot, record(2)), "/p")
    assert image.bad == {1: reason}
    assert image.saved.number == 2


@pytest.mark.parametrize("left", [0, 50, len(record(3)) - 1])
def test_a_file_cut_short_keeps_what_is_whole(left):
    assert layout.read(file_of(record(1), record(2), record(3))[: FIRST + 2 * 4096 + left], "/p").bad == {2: "cut off"}


def test_lengths_that_lead_out_of_the_slot_are_damage():
    head = layout.head(GEOMETRY, 0, b"x" * 5000)
    assert layout.parse(head.ljust(4096, b"\0"), "/p") == "cut off"
    long_body = layout.head(GEOMETRY, 0, b"") + struct.pack("<QI", 1, 5000)
    assert layout.parse(long_body.ljust(4096, b"\0"), "/p") == "cut off"
    whole = record(1)
    for size in range(HEAD_SIZE, len(whole)):
        assert layout.parse(whole[:size], "/p") == "cut off"


@pytest.mark.parametrize("frame", [b"", b"x" * 10, b"x" * GEOMETRY.capacity()], ids=len)
def test_a_record_may_fill_its_slot_to_the_byte(frame):
    saved = Saved(7, frame, b"y" * (GEOMETRY.capacity() - len(frame)))
    slot = layout.record(GEOMETRY, 1, *saved.values())
    assert len(slot) == 4096
    assert layout.parse(slot, "/p").saved == saved


def slot_of(shown):
    """E7: record 7, which says that there is nothing to resume; R7: another one; x: damage."""
    if shown == "x":
        return b"x"
    number = int(shown[1:])
    return record(number) if shown[0] == "R" else layout.record(GEOMETRY, 1, number, b"", b"")


@pytest.mark.parametrize(
    ("slots", "found"),
    [
        ("E1 E2 E3", "nothing"),
        ("R1 R2 E3", "nothing"),
        ("R4 E2 E3", 4),
        ("x E2 E3", "nothing"),  # the first record of a call was being written: it would have been written twice
        ("x R2 E3", "nothing"),  # the same, after a call that has ended
        ("x E2 R4", 4),
        ("R5 x R4", 5),
        ("x x R4", 4),
        ("x x E3", "damaged"),  # both of the first record, perhaps
        ("x E3 x", "damaged"),
        ("x x x", "damaged"),
    ],
)
def test_nothing_to_resume_is_believed_only_where_no_record_can_have_been_lost(slots, found):
    data = file_of(*map(slot_of, slots.split()))
    if found == "damaged":
        refused("damaged", data)
        return
    image = layout.read(data, "/p")
    assert found == (image.saved.number if image.saved.frame else "nothing")
    assert len(image.bad) == slots.count("x")


NOTHING = layout.record(GEOMETRY, 1, 3, b"", b"")  # there is nothing to resume


@pytest.mark.parametrize(
    ("last", "says", "found"),
    [
        (NOTHING, "a record may be lost: the only whole record says that there is nothing to resume", ""),
        (record(1)[:60], "no whole record is left in its 16384 bytes", ", slot 2: the record's checksum is wrong"),
    ],
)
def test_what_cannot_be_trusted_is_an_error_that_says_what_was_found(last, says, found):
    error = refused("damaged", file_of(b"", b"x", last))
    assert f"/p: {says}" in error.message
    assert f"slot 0: empty, slot 1: not a record{found}" in error.message
    assert "discard" in error.hint
    for size in (0, 10, 5000, 4096 + 2 * 4096):
        refused("damaged", bytes(size))


def changed_head(form=1, slots=3, slot_size=4096):
    fields = struct.pack("<8sHHI8sQI", b"HAFTA-CP", form, slots, slot_size, b"12345678", 1, 0)
    return fields + struct.pack("<I", zlib.crc32(fields))


def test_a_newer_format_is_refused_even_beside_whole_records():
    error = refused("format", file_of(record(1), changed_head(form=2), record(2)))
    assert "/p: written in format 2, but this program reads only up to format 1" in error.message
    assert "newer version" in error.hint


@pytest.mark.parametrize("wrong", [{"form": 0}, {"slots": 2}, {"slot_size": 100}, {"slot_size": 0}])
def test_a_head_that_makes_no_sense_is_damage(wrong):
    image = layout.read(file_of(changed_head(**wrong), record(1), record(2)), "/p")
    assert image.bad == {0: "the head makes no sense"}


def test_without_its_first_slot_the_size_of_the_file_tells_the_size_of_the_slots():
    large = Geometry(8192, b"12345678")
    image = layout.read(file_of(b"", record(4, 4, large), record(3, 3, large), geometry=large), "/p")
    assert image.saved.number == 4
    assert image.geometry == large


def test_a_slot_of_another_file_does_not_count():
    other = record(99, geometry=Geometry(4096, b"another1"))
    image = layout.read(file_of(record(1), other, record(2)), "/p")
    assert (image.saved.number, image.bad) == (2, {1: "it belongs to another file than the others"})
    error = refused("damaged", file_of(record(1), other, b"x"))
    assert "/p: no whole record is left in its 16384 bytes (slot 2: not a record, slot 0: it " in error.message


@pytest.mark.parametrize(
    ("slots", "single"),
    [
        ("e1 e2 r3", True),
        ("r4 e2 r3", False),
        ("r1 e2 r3", True),
        ("e3 r1 r2", False),
        ("x e2 r3", True),
    ],
)
def test_the_first_record_after_nothing_to_resume_without_its_second_copy_is_known(slots, single):
    made = {"e": lambda n: layout.record(GEOMETRY, 1, n, b"", b""), "r": record, "x": lambda _: b"x"}
    image = layout.read(file_of(*(made[slot[0]](int(slot[1:] or 0)) for slot in slots.split())), "/p")
    assert image.single == single
