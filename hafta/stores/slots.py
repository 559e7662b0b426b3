"""Writing records into the slots of one file: the hot path of a checkpoint, and everything that can go wrong on it.

1. A record is one pwrite, into a slot that is neither the newest nor the pinned one (docs/store.md, rules 1 and 2).
2. The hot writer is a generator. Its locals are the state of the two slots that take turns; the interpreter lets one
   thread at a time into it, and throws it away, running its `finally`, whenever an exception leaves it. So it is a
   lock, a critical section and a set of fast variables for the price of one call. A lock object would cost a third of
   a pwrite.
3. Whatever is not the plain case (sync, a new frame, an error, a second thread) goes the slow way: take the lock,
   retire the hot writer, act, and, but for a sync, aim a new one. Who finds the writer retired or running goes the slow
   way, too.
4. The number is used up before anything is written, and `_newest` moves after: a call that is cut off between the two
   (a signal handler that raises) leaves a record that nobody was promised, in a slot that the next one overwrites.
5. fdatasync failed: what the kernel holds for that slot is not to be trusted again. The record goes, whole, into
   another slot that is spare, if there is one, and is synced there (docs/store.md, rule 8).

Invariant: at any moment the newest acknowledged record is whole in its slot, and so is the last synced one on the
disk.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from _thread import RLock
from zlib import crc32

from hafta.errors import StoreError
from hafta.stores import forks, holder, layout, trust
from hafta.stores.protocol import Incident, Incidents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType, TracebackType
    from typing import Self

MORE_ROOM = (
    "record less (a path rather than contents); or discard the record, whose size stays as it was made,"
    " and make the store with a larger slot_size"
)
DEADLINE = 10.0  # seconds to wait for another thread's pwrite, which takes microseconds


class FileClaim:
    """The claim of one file (hafta.stores.protocol.Claim). Made by FileStore.claim, which has locked `fd`."""

    more_room = MORE_ROOM

    __slots__ = (
        "_bad", "_busy", "_fd", "_frame", "_geometry", "_lock", "_named", "_newest", "_number", "_path", "_pinned",
        "_refusal", "_send", "_synced", "_writer", "capacity", "incidents", "last",
    )  # fmt: skip

    def __init__(self, fd: int, path: str, image: layout.Image, *, named: bool) -> None:
        saved = image.saved
        self.last = saved if saved.frame or saved.body else None
        self.incidents: list[Incident] = Incidents()
        self.capacity = image.geometry.capacity()
        self._number = saved.number + (layout.JUMP if image.bad else 0)
        self._fd = fd
        self._path = path
        self._geometry = image.geometry
        self._named = named  # whether the file's name is known to be on the disk
        self._newest = image.newest
        self._pinned = image.pinned
        self._synced = image.synced
        self._bad = dict(image.bad)
        self._frame = saved.frame
        self._lock = RLock()
        self._busy = False
        self._refusal: StoreError | None = None
        self._writer: Generator[None, bytes | None, None]
        self._send: Callable[[bytes], None]
        self._aim()
        forks.adopt(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> str:
        """Where the record is, for messages."""
        return self._path

    def enter(self, frame: bytes) -> None:
        """Take the frame for the records that follow."""
        if len(frame) > self.capacity:
            raise too_large(self._path, len(frame), self.capacity)
        self._alone(self._take_frame, frame)

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        if sync:
            self._alone(self._put, body, True, None)
            return
        try:
            self._send(body)
        except OSError as error:
            self._alone(self._put, body, False, error)
        except (StopIteration, ValueError):  # rule 3
            self._alone(self._put, body, False, None)

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give the claim up."""
        if self._refusal is None:
            self._alone(self._let_go)

    def abandon(self) -> None:
        """Give the claim up, leaving the descriptor to whoever opened it."""
        self._refuse("closed", "the claim was closed")
        forks.release(self)

    def resync(self) -> None:
        """Write what was read once more and bring it to the disk, before anybody acts on it (docs/store.md, rule 6).

        Where slots were damaged, into each of them, so that there are three whole ones again.
        """
        for _ in range(max(1, len(self._bad))):
            self.write(self.last.body if self.last else b"", sync=True)

    def disown(self) -> None:
        """Be the claim in a forked child, which has none: its copy of the descriptor would keep the lock alive."""
        trust.shut(self._fd)
        self._lock, self._busy = RLock(), False  # another thread of the parent may have been in here
        self._refuse("forked", f"the claim belongs to the parent process, not to its child {os.getpid()}")

    def _write_on(self, here: int, other: int) -> Generator[None, bytes | None, None]:
        """Be the hot writer: records go to the offsets `here` and `other` in turn."""
        number, newest, pwrite, fd = self._number, None, os.pwrite, self._fd
        prefix = layout.head(self._geometry, self._synced, self._frame) + self._frame
        seed, room = crc32(prefix), self.capacity - len(self._frame)
        fixed = len(prefix) + layout.OVERHEAD - layout.HEAD_SIZE
        crc, pack_tail, pack_crc = crc32, layout.pack_tail, layout.pack_crc
        try:
            body = yield
            while body is not None:  # None: it is retired
                size = len(body)
                if size > room:
                    raise too_large(self._path, size, room)
                number += 1
                tail = pack_tail(number, size) + body
                if pwrite(fd, prefix + tail + pack_crc(crc(tail, seed)), here) != fixed + size:
                    raise OSError(errno.EIO, "short write")
                newest, here, other = here, other, here
                body = yield
        finally:
            self._number = number
            if newest is not None:
                self._newest = (newest - layout.FIRST) // self._geometry.slot_size
                self._bad.pop(self._newest, None)

    def _aim(self) -> None:
        """Make a new hot writer, for the slots that are not pinned."""
        free = [n for n in range(layout.SLOTS) if n != self._pinned]
        first, second = sorted(free, key=lambda n: n == self._newest)[:2]
        self._writer = self._write_on(self._geometry.offset(first), self._geometry.offset(second))
        next(self._writer)
        self._send = self._writer.send

    def _alone(self, action: Callable[..., None], *args: object) -> None:
        """Do something with nobody else in here (rule 3), and with the hot writer retired."""
        with self._lock:
            if self._busy:
                raise _busy(self._path)
            self._busy = True  # nothing can come between this and the question
            try:
                if self._refusal is not None:
                    raise self._refusal
                self._retire()
                action(*args)
            finally:
                self._busy = False

    def _retire(self) -> None:
        """End the hot writer, waiting while another thread is in it.

        Not by close(): on a generator that runs in another thread, Python 3.11 may take an inline cache of its code for
        an instruction, and die of it. send() looks first whether it runs.
        """
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                self._writer.send(None)
            except StopIteration:
                return
            except ValueError:  # it is running
                if _is_below_us(self._writer) or time.monotonic() > deadline:
                    raise _busy(self._path) from None
                time.sleep(0.0001)

    def _take_frame(self, frame: bytes) -> None:
        self._frame = frame
        self._aim()

    def _let_go(self) -> None:
        self.abandon()
        holder.unlock(self._fd)  # a child that was just forked may still have its copy of the descriptor
        trust.shut(self._fd)

    def _put(self, body: bytes, sync: bool, trouble: OSError | None) -> None:
        """Write a record, trying another slot where the disk refuses one."""
        room = self.capacity - len(self._frame)
        if len(body) > room:
            raise too_large(self._path, len(body), room)
        tried: set[int] = set()
        while slots := self._targets(tried):
            tried.add(slots[0])
            try:
                self._put_into(slots[0], body, sync)
            except OSError as error:
                trouble = error
                if error.errno != errno.EIO:
                    break
            else:
                if trouble is not None:
                    where = f"the record was written again, to slot {slots[0]}"
                    self.incidents.append(Incident("retried", f"{self._path}: {trouble.strerror}; {where}"))
                if not sync:  # who syncs each record has no use for one
                    self._aim()
                return
        assert trouble is not None  # there is always a spare slot
        raise trust.explained(trouble, self._path)

    def _targets(self, tried: set[int]) -> list[int]:
        """Return the slots that may be written to now, damaged ones first."""
        free = [n for n in range(layout.SLOTS) if n not in (self._newest, self._pinned) and n not in tried]
        if self._bad:
            free.sort(key=lambda n: n not in self._bad)
        return free

    def _put_into(self, slot: int, body: bytes, sync: bool) -> None:
        self._number = number = self._number + 1
        text = layout.record(self._geometry, self._synced, number, self._frame, body)
        if os.pwrite(self._fd, text, self._geometry.offset(slot)) != len(text):
            raise OSError(errno.EIO, "short write")
        if sync:
            os.fdatasync(self._fd)
            if not self._named:
                trust.sync_directory(os.path.dirname(self._path))
                self._named = True
            self._pinned, self._synced = slot, number
        self._newest = slot
        self._bad.pop(slot, None)

    def _refuse(self, kind: str, text: str) -> None:
        refusal = StoreError(f"{self._path}: {text}", "claim the record again", kind=kind)

        def refuse(_body: bytes) -> None:
            raise refusal

        self._refusal = refusal
        self._send = refuse


def too_large(path: str, size: int, room: int) -> StoreError:
    """Return the error for what does not fit into a slot."""
    return StoreError(f"{path}: {size} bytes do not fit: there is room for {room}", MORE_ROOM, kind="too-large")


def _busy(path: str) -> StoreError:
    return StoreError(f"{path}: a write is under way", "write no checkpoint from a signal handler", kind="busy")


def _is_below_us(writer: Generator[None, bytes, None]) -> bool:
    """Tell whether this very thread is inside the writer: a signal handler has interrupted it."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the documented way to one's own stack
    while frame is not None:
        if frame is writer.gi_frame:  # type: ignore[attr-defined]  # it is a generator, not only a Generator
            return True
        frame = frame.f_back
    return False
