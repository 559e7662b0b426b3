"""Writing records into the slots of one file: the hot path of a checkpoint, and everything that can go wrong on it.

1. A record is one pwrite, into a slot that is neither the newest nor the pinned one (docs/store.md, rules 1 and 2).
2. There is one lock, and its thread could take it twice. If the thread has it already, a signal handler has interrupted
   a write: the handler gets an error instead of a deadlock. Another thread waits.
3. A stop (a signal handler that raises) can come between any two instructions. So a number is used up before anything
   is written with it, and `newest` changes afterwards, in one assignment. A call that is interrupted in between leaves
   a record that was never acknowledged, in a slot that the next one overwrites. The head depends on other values. It is
   one value, too, and is made again if it does not belong to the current frame. So `enter` is one assignment.
4. If fdatasync fails, what the kernel holds for that slot cannot be trusted any more. The whole record is written into
   another spare slot, if there is one, and synced there (docs/store.md, rule 8). A pwrite that failed may be repeated
   in the same slot.
5. The first record after one that says "nothing to resume" is written twice, one after the other. So if one slot is
   damaged and the newest whole record says "nothing to resume", nothing newer was acknowledged (layout, rule 6).

Invariant: at any moment the newest acknowledged record is whole in its slot, and the last synced record is whole on the
disk. After a call has ended, in whatever way, the lock is free.
"""

from __future__ import annotations

import errno
import os
from _thread import RLock
from zlib import crc32

from hafta.errors import StoreError
from hafta.stores import forks
from hafta.stores.file import layout, trust
from hafta.stores.file.descriptors import close
from hafta.stores.file.layout import pack_crc, pack_tail
from hafta.stores.file.lock import unlock
from hafta.stores.protocol import MOST_INCIDENTS, Closing, Incident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _io import FileIO
    from collections.abc import Callable

    Head = tuple[bytes | None, bytes, int, int]  # frame; head and frame as written; their checksum; room for a body

MORE_ROOM = (
    "record less (a path instead of the contents); or discard the record, because its size cannot change,"
    " and make the store with a larger slot_size"
)

_NONE: Head = (None, b"", 0, 0)  # belongs to no frame: the head must be made


class Slots:
    """Which slot holds what, and which one is next. No I/O."""

    __slots__ = ("bad", "first", "newest", "number", "offsets", "pinned", "synced", "turns")

    def __init__(self, image: layout.Image) -> None:
        self.number = image.saved.number + (layout.JUMP if image.bad else 0)  # the last one that was used up
        self.newest = image.newest
        self.first = not (image.saved.frame or image.saved.body)  # whether the newest record says "nothing to resume"
        self.synced = image.synced  # the number in the pinned slot
        self.bad = dict(image.bad)
        self.offsets = [image.geometry.offset(slot) for slot in range(layout.SLOTS)]
        self.pinned = image.pinned  # None: unknown; then the first record is synced
        self.turns = _TURNS[image.newest if image.pinned is None else image.pinned]

    def spare(self) -> list[int]:
        """Return the slots that may be written to, damaged ones first."""
        spare = [slot for slot in range(layout.SLOTS) if slot not in (self.newest, self.pinned)]
        return sorted(spare, key=lambda slot: slot not in self.bad)

    def pin(self, slot: int, number: int) -> None:
        """Note that this record, the newest one, is on the disk.

        If a stop interrupts this, the next head names a number that no slot has. Then the next claim syncs first.
        """
        self.turns = _TURNS[slot]
        self.pinned = slot
        self.synced = number
        self.bad.pop(slot, None)


def _turns(pinned: int, newest: int) -> tuple[int, int]:
    """Return the slot for an unsynced record, and one for a second try: neither the pinned slot nor the newest."""
    spare = [slot for slot in range(layout.SLOTS) if slot not in (pinned, newest)]
    return spare[0], spare[-1]


_TURNS = tuple(tuple(_turns(pinned, newest) for newest in range(layout.SLOTS)) for pinned in range(layout.SLOTS))


class FileClaim(Closing):
    """The claim of one file (hafta.stores.protocol.Claim). Made by FileStore.claim, which has locked `file`."""

    more_room = MORE_ROOM

    __slots__ = (
        "__weakref__", "_fd", "_file", "_frame", "_geometry", "_head", "_lock", "_named", "_refusal", "_slots",
        "capacity", "incidents", "last", "on_incident", "on_wait", "where",
    )  # fmt: skip

    def __init__(self, file: FileIO, path: str, image: layout.Image, *, named: bool) -> None:
        saved = image.saved
        self.last = saved if saved.frame or saved.body else None
        self.incidents: list[Incident] = []
        self.on_incident: Callable[[Incident], None] | None = None
        self.on_wait: Callable[[], None] | None = None  # a disk that does not answer cannot be waited for in steps
        self.capacity = image.geometry.capacity()
        self.where = path
        self._file = file  # the only reference: when the claim goes, the descriptor is closed, and the lock is free
        self._fd = file.fileno()
        self._geometry = image.geometry
        self._named = named  # whether the file's name is known to be on the disk
        self._slots = Slots(image)
        self._frame = saved.frame
        self._head = _NONE
        self._lock = RLock()
        self._refusal: StoreError | None = None
        forks.adopt(self)

    def enter(self, frame: bytes) -> None:
        """Use the frame for the records that follow."""
        if self._refusal is not None:
            raise self._refusal
        if len(frame) > self.capacity:
            raise too_large(self.where, len(frame), self.capacity)
        self._frame = bytes(frame)

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - rule 2; threading.Condition uses it, too
            raise _busy(self.where)
        try:
            with lock:
                self._put(body, sync)
        except BaseException:
            _free(lock)
            raise

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give up the claim."""
        lock = self._lock
        if lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as in write()
            raise _busy(self.where)
        try:
            with lock:
                self._let_go()
        except BaseException:
            if lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as in write()
                self._let_go()  # we have the lock, so no other thread is writing
            _free(lock)
            raise

    def resync(self) -> None:
        """Write again what was read, and sync it, before anything is done with it (docs/store.md, rule 6).

        It is written into every damaged slot, so that all three are whole again.
        """
        for _ in range(max(1, len(self._slots.bad))):
            self.write(self.last.body if self.last else b"", sync=True)

    def disown(self) -> None:
        """Refuse all use in a forked child, and close its copy of the descriptor, which would keep the lock alive."""
        close(self._file)
        self._lock = RLock()  # another thread of the parent may have had it
        self._refuse("forked", f"the claim belongs to the parent process, not to its child {os.getpid()}")

    def _put(self, body: bytes, sync: bool) -> None:
        """Write a record. If the disk refuses one slot, try another."""
        head, slots, trouble = self._head, self._slots, None
        _, prefix, seed, room = head if head[0] is self._frame else self._make_head()
        if (size := len(body)) > room:
            raise too_large(self.where, size, room)
        for slot in slots.spare() if sync else slots.turns[slots.newest]:
            slots.number = number = slots.number + 1
            tail = pack_tail(number, size) + body
            text = prefix + tail + pack_crc(crc32(tail, seed))
            try:
                if os.pwrite(self._fd, text, slots.offsets[slot]) != len(text):
                    raise OSError(errno.EIO, "short write")  # noqa: TRY301 - no further call: this is the hot path
                if sync:
                    self._sync()
            except OSError as error:
                trouble = error
                if error.errno != errno.EIO:
                    break
            else:
                slots.newest = slot
                if sync or trouble or slots.first or not size:
                    self._settle(slot, number, sync, trouble)
                    self._double(body, sync)
                return
        assert trouble is not None  # there is always a spare slot
        raise trust.explained(trouble, self.where)

    def _sync(self) -> None:
        os.fdatasync(self._fd)
        if not self._named:
            trust.sync_directory(os.path.dirname(self.where))
            self._named = True

    def _settle(self, slot: int, number: int, sync: bool, trouble: OSError | None) -> None:
        """Update everything else after a record was written."""
        if sync:
            self._slots.pin(slot, number)
            self._head = _NONE  # the head names the synced record, so it must be made again
        if trouble is not None:
            where = f"the record was written again, to slot {slot}"
            self._report(Incident("retried", f"{self.where}: {trouble.strerror}; {where}"))

    def _double(self, body: bytes, sync: bool) -> None:
        """Write the first record after "nothing to resume" twice (rule 5)."""
        empty = not (self._frame or body)
        if self._slots.first and not empty:
            self._slots.first = False
            self._put(body, sync)
        else:
            self._slots.first = empty

    def _report(self, incident: Incident) -> None:
        if self.on_incident is not None:
            self.on_incident(incident)
        elif len(self.incidents) < MOST_INCIDENTS:
            self.incidents.append(incident)

    def _make_head(self) -> Head:
        if self._refusal is not None:
            raise self._refusal
        frame = self._frame
        prefix = layout.head(self._geometry, self._slots.synced, frame) + frame
        self._head = head = (frame, prefix, crc32(prefix), self.capacity - len(frame))
        return head

    def _let_go(self) -> None:
        """Give up whatever is not given up yet: a stop may have interrupted an earlier call of this."""
        if self._refusal is None:
            self._refuse("closed", "the claim was closed")
        if not self._file.closed:
            unlock(self._fd)  # a child that was just forked may still have its copy of the descriptor
            close(self._file)

    def _refuse(self, kind: str, text: str) -> None:
        self._refusal = StoreError(f"{self.where}: {text}", "claim the record again", kind=kind)
        self._head = _NONE


def too_large(path: str, size: int, room: int) -> StoreError:
    """Return the error for a record that does not fit into a slot."""
    return StoreError(f"{path}: {size} bytes do not fit: there is room for {room}", MORE_ROOM, kind="too-large")


def _free(lock: RLock) -> None:
    """Release the lock if a stop has interrupted the end of `with`."""
    if lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as in write()
        lock.release()


def _busy(path: str) -> StoreError:
    hint = "do not write checkpoints from a signal handler"
    return StoreError(f"{path}: this thread is in the middle of a write", hint, kind="busy")
