"""Bytes to records: what is whole, what is newest, what is damage. The bulk is in tests/torture."""

import struct
import zlib

import pytest

from hafta.errors import StoreError
from hafta.stores import layout
from hafta.stores.layout import FIRST, HEAD_SIZE, Geometry, Saved

GEOMETRY = Geometry(4096, b"12345678")


def file_of(*slots, geometry=GEOMETRY):
    return bytes(FIRST) + b"".join(slot.ljust(geometry.slot_size, b"\0") for slot in slots)


def record(number, synced=1, geometry=GEOMETRY):
    return layout.record(geometry, synced, number, b"frame", b"body %d" % number)


def refused(kind, data):
    with pytest.raises(StoreError) as caught:
        layout.read(data, "/p")
    assert caught.value.kind == kind
    return caught.value


def test_a_new_file_has_three_empty_records_and_knows_its_newest_as_synced():
    image = layout.read(layout.blank(GEOMETRY), "/p")
    assert (image.newest, image.pinned, image.synced, image.saved) == (2, 2, 3, Saved(3, b"", b""))
    assert image.bad == {}


def test_the_newest_record_counts_and_the_synced_one_is_pinned():
    image = layout.read(file_of(record(7, synced=5), record(5), record(6, synced=5)), "/p")
    assert (image.newest, image.pinned, image.saved.body) == (0, 1, b"body 7")


def test_the_overhead_is_what_a_record_needs_beyond_its_contents():
    assert len(layout.record(GEOMETRY, 0, 1, b"ab", b"cde")) == layout.OVERHEAD + 5
    assert GEOMETRY.capacity() == 4096 - layout.OVERHEAD


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        (b"", "empty"),
        (b"x", "not a record"),
        (layout.UNREADABLE, "the disk does not give it back"),
        (record(9)[:30], "the head's checksum is wrong"),
        (record(9)[:50], "the record's checksum is wrong"),
    ],
)
def test_damage_is_told_in_words(slot, reason):
    image = layout.read(file_of(record(1), slot, record(2)), "/p")
    assert image.bad == {1: reason}
    assert image.saved.number == 2


def test_a_file_cut_short_keeps_what_is_whole():
    whole = file_of(record(1), record(2), record(3))
    assert layout.read(whole[: FIRST + 2 * 4096], "/p").bad == {2: "cut off"}
    assert layout.read(whole[: FIRST + 2 * 4096 + 50], "/p").bad == {2: "cut off"}
    assert layout.read(whole[: FIRST + 2 * 4096 + len(record(3)) - 1], "/p").bad == {2: "cut off"}


def test_lengths_that_lead_out_of_the_slot_are_damage():
    head = layout.head(GEOMETRY, 0, b"x" * 5000)
    assert layout.parse(head.ljust(4096, b"\0"), "/p") == "cut off"
    long_body = layout.head(GEOMETRY, 0, b"") + struct.pack("<QI", 1, 5000)
    assert layout.parse(long_body.ljust(4096, b"\0"), "/p") == "cut off"


def test_no_whole_record_is_an_error_that_says_what_was_found():
    error = refused("damaged", file_of(b"", b"x", record(1)[:60]))
    assert "/p: no whole record is left in its 16384 bytes" in error.message
    assert "slot 0: empty, slot 1: not a record, slot 2: the record's checksum is wrong" in error.message
    assert "discard" in error.hint
    for size in (0, 10, 5000, 4096 + 2 * 4096):
        refused("damaged", bytes(size))


def changed_head(form=1, slots=3, slot_size=4096):
    fields = struct.pack("<8sHHI8sQI", b"HAFTA-CP", form, slots, slot_size, b"12345678", 1, 0)
    return fields + struct.pack("<I", zlib.crc32(fields))


def test_a_newer_format_is_refused_even_beside_whole_records():
    error = refused("newer", file_of(record(1), changed_head(form=2), record(2)))
    assert "/p: written in format 2, and this program reads up to format 1" in error.message
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
    assert image.saved.number == 2
    assert image.bad == {1: "of another file than the others"}


def test_two_slots_of_two_files_are_refused():
    other = record(99, geometry=Geometry(4096, b"another1"))
    refused("damaged", file_of(record(1), other, b"x"))


def test_an_unknown_pinned_slot_is_not_guessed():
    assert layout.read(file_of(record(7, synced=5), b"x", record(6, synced=5)), "/p").pinned is None


def test_the_head_never_changes_its_size():
    assert HEAD_SIZE == 40
