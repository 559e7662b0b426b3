"""The layout of records in a file: bytes to values and back, and which of three slots is the newest. No I/O.

1. A record is whole if its magic, its head's CRC, its lengths and its own CRC are right. Otherwise the slot has a
   reason, in words.
2. The newest whole record counts. Damage in other slots is reported, never ignored and never repaired by guessing.
3. If any head is whole and has a newer format, that decides: this program must not overwrite what it cannot read.
4. A slot of zeros is damage: a file is made with three records in it (docs/store.md, rule 3).
5. The pinned slot holds the last record that is known to be on the disk. If it is not known which slot that is, the
   claim of the file syncs before it overwrites anything.
6. If the newest whole record says "nothing to resume", it is believed as long as at most one slot is damaged. The first
   record after it is written twice, so if one was acknowledged, it is whole in at least one of two slots. With two
   damaged slots a record may be lost, and beginning again could do twice what was done: that is damage.

Invariant: for any bytes in a file, reading ends in one of three ways: an Image whose newest record has the right CRC, a
StoreError of kind "damaged", or one of kind "format".
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

from hafta.errors import StoreError
from hafta.frozen import Frozen
from hafta.stores.protocol import Saved

MAGIC = b"HAFTA-CP"
FORMAT = 1
SLOTS = 3
PAGE = 4096
FIRST = PAGE  # slots begin behind the holder's block
LARGEST_SLOT = 1 << 20
UNREADABLE = b"EIO!" * (PAGE // 4)  # stands for a page that the disk cannot read
JUMP = 16  # how far numbers skip if a damaged slot may have held a newer one: more than one failed write can use

_HEAD = Struct("<8sHHI8sQI")
_CRC = Struct("<I")
_TAIL = Struct("<QI")
HEAD_SIZE = _HEAD.size + _CRC.size
OVERHEAD = HEAD_SIZE + _TAIL.size + _CRC.size

pack_tail = _TAIL.pack
pack_crc = _CRC.pack


class Geometry(Frozen):
    """What is equal in every head of one file."""

    slot_size: int
    ident: bytes

    def offset(self, slot: int) -> int:
        """Return where a slot begins."""
        return FIRST + slot * self.slot_size

    def size(self) -> int:
        """Return the size of the file."""
        return self.offset(SLOTS)

    def capacity(self) -> int:
        """Return how many bytes frame and body may have in total."""
        return self.slot_size - OVERHEAD


class Whole(Frozen):
    """A whole record, as it was found in a slot."""

    geometry: Geometry
    synced: int
    saved: Saved

    def is_empty(self) -> bool:
        """Tell whether it says "nothing to resume"."""
        return not (self.saved.frame or self.saved.body)


class Image(Frozen):
    """What the three slots of a file contain."""

    geometry: Geometry
    newest: int  # slot
    pinned: int | None  # slot; None: unknown
    synced: int  # the number that should be in the pinned slot
    saved: Saved
    bad: dict[int, str]  # slot: what is wrong with it
    single: bool  # whether the newest record follows one that says "nothing to resume" and has no second copy


def is_slot_size(size: int) -> bool:
    """Tell whether slots can have this size."""
    return PAGE <= size <= LARGEST_SLOT and size % PAGE == 0


def head(geometry: Geometry, synced: int, frame: bytes) -> bytes:
    """Return the bytes before the frame."""
    slot_size, ident = geometry.values()
    fields = _HEAD.pack(MAGIC, FORMAT, SLOTS, slot_size, ident, synced, len(frame))
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
    """Return the contents of a file. Raises StoreError: damaged, format."""
    slot_size = _slot_size(data, len(data))
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
    if len(bad) > 1 and found.is_empty():
        raise _lost(path, bad)
    pinned = [n for n, slot in whole.items() if slot.saved.number == found.synced]
    single = not found.is_empty() and all(whole[n].is_empty() for n in _before(whole, newest))
    return Image(found.geometry, newest, pinned[0] if pinned else None, found.synced, found.saved, bad, single)


def hopeless(data: bytes, size: int, path: str) -> StoreError:
    """Return the error for a file of this size in which no slot begins as a record does; `data` is its beginning."""
    return _damaged(path, size, {0: str(parse(data[FIRST:], path))})


def begins(data: bytes, size: int) -> tuple[int, ...]:
    """Return where the slots of a file of this size begin, by what it begins with; empty if that cannot be told."""
    slot_size = _slot_size(data, size)
    return tuple(FIRST + n * slot_size for n in range(SLOTS)) if slot_size else ()


def parse(slot: bytes, path: str) -> Whole | str:
    """Return the record in a slot, or what is wrong with it. Raises StoreError: format."""
    if wrong := _wrong_with_head(slot):
        return wrong
    _, form, slots, slot_size, ident, synced, frame_size = _HEAD.unpack_from(slot)
    if form > FORMAT:
        raise _newer(path, form)
    if form < FORMAT or slots != SLOTS or not is_slot_size(slot_size):
        return "the head makes no sense"
    saved = _body(slot, frame_size)
    return saved if isinstance(saved, str) else Whole(Geometry(slot_size, ident), synced, saved)


def _before(whole: dict[int, Whole], newest: int) -> list[int]:
    """Return the slot with the record before the newest one; empty if there is none."""
    return sorted(whole.keys() - {newest}, key=lambda n: whole[n].saved.number)[-1:]


def _wrong_with_head(slot: bytes) -> str:
    if len(slot) < HEAD_SIZE:
        return "cut off"
    if not slot.strip(b"\0"):
        return "empty"
    if slot[:PAGE] == UNREADABLE:
        return "the disk cannot read it"
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


def _slot_size(data: bytes, size: int) -> int | None:
    """Return the slot size that the first slot names; if that slot is damaged, compute it from the size of the file."""
    first = data[FIRST : FIRST + HEAD_SIZE]
    if (
        len(first) == HEAD_SIZE
        and first[:8] == MAGIC
        and crc32(first[: _HEAD.size]) == _CRC.unpack_from(first, _HEAD.size)[0]
    ):
        told = int(_HEAD.unpack_from(first)[3])
        return told if is_slot_size(told) else PAGE
    return _computed(size)


def _computed(size: int) -> int | None:
    computed, rest = divmod(size - FIRST, SLOTS)
    return computed if not rest and is_slot_size(computed) else None


def _strangers(whole: dict[int, Whole]) -> dict[int, str]:
    """Return the slots that were copied in from another file: those in the minority, or all if there is no majority."""
    files = [slot.geometry for slot in whole.values()]
    reason = "it belongs to another file than the others"
    return {n: reason for n, slot in whole.items() if files.count(slot.geometry) * 2 <= len(files)}


def _damaged(path: str, size: int, bad: dict[int, str]) -> StoreError:
    told = ", ".join(f"slot {n}: {reason}" for n, reason in bad.items())
    return StoreError(
        f"{path}: no whole record is left in its {size} bytes ({told})",
        "put a good copy back, or start over: hafta checkpoints discard",
        kind="damaged",
    )


def _lost(path: str, bad: dict[int, str]) -> StoreError:
    told = ", ".join(f"slot {n}: {reason}" for n, reason in bad.items())
    return StoreError(
        f"{path}: a record may be lost: the only whole record says that there is nothing to resume ({told})",
        "find out what the sequence had begun; then put a good copy back, or start over: hafta checkpoints discard",
        kind="damaged",
    )


def _newer(path: str, form: int) -> StoreError:
    return StoreError(
        f"{path}: written in format {form}, but this program reads only up to format {FORMAT}",
        "run the newer version of HAFTA that wrote it, or start over: hafta checkpoints discard",
        kind="format",
    )
