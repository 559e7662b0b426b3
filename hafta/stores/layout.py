"""How records lie in a file: bytes to values and back, and which of three slots is the newest. No I/O.

1. A record is whole when its magic, its head's CRC, its lengths and its own CRC are right. Anything else is a reason,
   in words.
2. The newest whole record counts. Damage elsewhere is reported, never ignored and never repaired by guessing.
3. A head that is whole and of a newer format outweighs everything: what this program cannot read it must not
   overwrite.
4. An empty slot is damage: the file is made with three records in it (docs/store.md, rule 3).
5. The pinned slot holds the last record that is known to be on the disk. If nobody knows which, whoever opens the
   file syncs before overwriting anything.

Invariant: whatever bytes a file holds, reading them ends in one of three ways: an Image with a newest record whose
CRC is right, a StoreError of kind "damaged", or one of kind "newer".
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from hafta.errors import StoreError
from hafta.record import Record
from hafta.stores.protocol import Saved

MAGIC = b"HAFTA-CP"
FORMAT = 1
SLOTS = 3
PAGE = 4096
FIRST = PAGE  # slots begin behind the holder's block
LARGEST_SLOT = 1 << 20
UNREADABLE = b"EIO!" * (PAGE // 4)  # stands for a page that the disk does not give back
JUMP = 16  # how far numbers skip where a damaged slot may have held a newer one: more than one failed write can use

_HEAD = Struct("<8sHHI8sQI")
_CRC = Struct("<I")
_TAIL = Struct("<QI")
HEAD_SIZE = _HEAD.size + _CRC.size
OVERHEAD = HEAD_SIZE + _TAIL.size + _CRC.size

pack_tail = _TAIL.pack
pack_crc = _CRC.pack


class Geometry(Record):
    """What every head of one file says alike."""

    slot_size: int
    ident: bytes

    def offset(self, slot: int) -> int:
        """Return where a slot begins."""
        return FIRST + slot * self.slot_size

    def size(self) -> int:
        """Return the size of the file."""
        return self.offset(SLOTS)

    def capacity(self) -> int:
        """Return how many bytes frame and body may have together."""
        return self.slot_size - OVERHEAD


class Whole(Record):
    """A whole record, as it was found in a slot."""

    geometry: Geometry
    synced: int
    saved: Saved


class Image(Record):
    """What the three slots of a file say together."""

    geometry: Geometry
    newest: int  # slot
    pinned: int | None  # slot; None: unknown
    synced: int  # the number that should be in the pinned slot
    saved: Saved
    bad: dict[int, str]  # slot: what is wrong with it


def is_slot_size(size: int) -> bool:
    """Tell whether slots can have this size."""
    return PAGE <= size <= LARGEST_SLOT and size % PAGE == 0


def head(geometry: Geometry, synced: int, frame: bytes) -> bytes:
    """Return what stands before the frame."""
    fields = _HEAD.pack(MAGIC, FORMAT, SLOTS, geometry.slot_size, geometry.ident, synced, len(frame))
    return fields + _CRC.pack(crc32(fields))


def record(geometry: Geometry, synced: int, number: int, frame: bytes, body: bytes) -> bytes:
    """Return a whole record."""
    text = head(geometry, synced, frame) + frame + _TAIL.pack(number, len(body)) + body
    return text + _CRC.pack(crc32(text))


def blank(geometry: Geometry) -> bytes:
    """Return a new file: the holder's block empty, and a record with nothing in it in each slot."""
    slots = (record(geometry, number, number, b"", b"") for number in range(1, SLOTS + 1))
    return bytes(FIRST) + b"".join(text.ljust(geometry.slot_size, b"\0") for text in slots)


def read(data: bytes, path: str) -> Image:
    """Return what a file holds. Raises StoreError: damaged, newer."""
    slot_size = _slot_size(data)
    if slot_size is None:
        raise _damaged(path, len(data), {0: str(parse(data[FIRST : FIRST + PAGE], path))})
    slots = [parse(data[FIRST + n * slot_size : FIRST + (n + 1) * slot_size], path) for n in range(SLOTS)]
    whole = {n: slot for n, slot in enumerate(slots) if isinstance(slot, Whole)}
    bad = {n: slot for n, slot in enumerate(slots) if isinstance(slot, str)}
    if not whole:
        raise _damaged(path, len(data), bad)
    strangers = _strangers(whole)
    if len(strangers) == len(whole):
        raise _damaged(path, len(data), bad | strangers)
    bad |= strangers
    whole = {n: slot for n, slot in whole.items() if n not in strangers}
    newest = max(whole, key=lambda n: whole[n].saved.number)
    found = whole[newest]
    pinned = [n for n, slot in whole.items() if slot.saved.number == found.synced]
    return Image(found.geometry, newest, pinned[0] if pinned else None, found.synced, found.saved, bad)


def parse(slot: bytes, path: str) -> Whole | str:
    """Return the record in a slot, or what is wrong with it. Raises StoreError: newer."""
    if wrong := _wrong_with_head(slot):
        return wrong
    _, form, slots, slot_size, ident, synced, frame_size = _HEAD.unpack_from(slot)
    if form > FORMAT:
        raise _newer(path, form)
    if form < FORMAT or slots != SLOTS or not is_slot_size(slot_size):
        return "the head makes no sense"
    saved = _body(slot, frame_size)
    return saved if isinstance(saved, str) else Whole(Geometry(slot_size, ident), synced, saved)


def _wrong_with_head(slot: bytes) -> str:
    if len(slot) < HEAD_SIZE:
        return "cut off"
    if not slot.strip(b"\0"):
        return "empty"
    if slot[:PAGE] == UNREADABLE:
        return "the disk does not give it back"
    if slot[:8] != MAGIC:
        return "not a record"
    if crc32(slot[: _HEAD.size]) != _CRC.unpack_from(slot, _HEAD.size)[0]:
        return "the head's checksum is wrong"
    return ""


def _body(slot: bytes, frame_size: int) -> Saved | str:
    tail = HEAD_SIZE + frame_size
    if tail + _TAIL.size + _CRC.size > len(slot):
        return "cut off"
    number, size = _TAIL.unpack_from(slot, tail)
    end = tail + _TAIL.size + size
    if end + _CRC.size > len(slot):
        return "cut off"
    if crc32(slot[:end]) != _CRC.unpack_from(slot, end)[0]:
        return "the record's checksum is wrong"
    return Saved(number, slot[HEAD_SIZE:tail], slot[tail + _TAIL.size : end])


def _slot_size(data: bytes) -> int | None:
    """Return the slot size: as the first slot tells it; where that one is damaged, as the size of the file does."""
    first = data[FIRST : FIRST + HEAD_SIZE]
    if (
        len(first) == HEAD_SIZE
        and first[:8] == MAGIC
        and crc32(first[: _HEAD.size]) == _CRC.unpack_from(first, _HEAD.size)[0]
    ):
        told = int(_HEAD.unpack_from(first)[3])
        return told if is_slot_size(told) else PAGE
    computed, rest = divmod(len(data) - FIRST, SLOTS)
    return computed if not rest and is_slot_size(computed) else None


def _strangers(whole: dict[int, Whole]) -> dict[int, str]:
    """Return the slots that were copied in from another file: those in the minority, or all where there is none."""
    files = [slot.geometry for slot in whole.values()]
    reason = "of another file than the others"
    return {n: reason for n, slot in whole.items() if files.count(slot.geometry) * 2 <= len(files)}


def _damaged(path: str, size: int, bad: dict[int, str]) -> StoreError:
    told = ", ".join(f"slot {n}: {reason}" for n, reason in bad.items())
    return StoreError(
        f"{path}: no whole record is left in its {size} bytes ({told})",
        "put a good copy back, or begin anew: hafta checkpoints discard",
        kind="damaged",
    )


def _newer(path: str, form: int) -> StoreError:
    return StoreError(
        f"{path}: written in format {form}, and this program reads up to format {FORMAT}",
        "run the newer version of HAFTA that wrote it, or begin anew: hafta checkpoints discard",
        kind="newer",
    )
