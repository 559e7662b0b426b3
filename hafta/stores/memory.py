"""A store in memory: for tests, and for sequences that are to resume within the life of one process."""

from __future__ import annotations

import os
import time
from _thread import allocate_lock

from hafta.errors import StoreError
from hafta.stores import forks, names
from hafta.stores.holder import tell, unit
from hafta.stores.protocol import Holder, Incident, Saved, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

Key = tuple[str, str]


class MemoryStore:
    """Records that live as long as this object. `capacity`: bytes for frame and body together."""

    def __init__(self, *, capacity: int = 4040) -> None:
        self.capacity = capacity
        self._lock = allocate_lock()
        self._records: dict[Key, _Entry] = {}

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> MemoryClaim:  # noqa: ARG002 - the protocol's
        """Claim a record (hafta.stores.protocol.Store.claim)."""
        names.file_name(sequence, instance)  # the same names as in a file
        with self._lock:
            entry = self._records.setdefault((sequence, instance), _Entry())
            if entry.claim is not None:
                hint = (
                    "only one at a time may run a sequence instance: end that one, or give this one another instance="
                )
                raise StoreError(f"{_shown(sequence, instance)}: held by {tell(entry.holder)}", hint, kind="held")
            entry.holder = Holder(os.getpid(), unit(), time.time())
            entry.claim = claim = MemoryClaim(entry, _shown(sequence, instance), self.capacity)
        return claim

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return where a record stands (hafta.stores.protocol.Store.peek)."""
        names.file_name(sequence, instance)
        entry = self._records.get((sequence, instance))
        return None if entry is None else _seen((sequence, instance), entry)

    def snapshots(self) -> list[Snapshot]:
        """Return every record (hafta.stores.protocol.Store.snapshots)."""
        return [_seen(key, entry) for key, entry in sorted(self._records.items())]

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record (hafta.stores.protocol.Store.discard)."""
        names.file_name(sequence, instance)
        with self._lock:
            entry = self._records.get((sequence, instance))
            if entry is not None and entry.claim is not None:
                hint = "end its holder first"
                raise StoreError(f"{_shown(sequence, instance)}: held by {tell(entry.holder)}", hint, kind="held")
            return self._records.pop((sequence, instance), None) is not None


class MemoryClaim:
    """The claim of a record in memory (hafta.stores.protocol.Claim)."""

    more_room = "record less (a path rather than contents), or make the store with a larger capacity"

    def __init__(self, entry: _Entry, name: str, capacity: int) -> None:
        self.last = _resumable(entry.saved)
        self.incidents: list[Incident] = []
        self.capacity = capacity
        self._entry = entry
        self._name = name
        self._frame = entry.saved.frame
        self._lock = allocate_lock()
        self._refusal: StoreError | None = None
        forks.adopt(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def enter(self, frame: bytes) -> None:
        """Take the frame for the records that follow."""
        self._check(len(frame), self.capacity)
        self._frame = bytes(frame)

    def write(self, body: bytes, sync: bool = False) -> None:  # noqa: ARG002 - the protocol's; memory has no disk
        """Record the frame and `body`."""
        self._check(len(body), self.capacity - len(self._frame))
        with self._lock:
            entry = self._entry
            entry.saved = Saved(entry.saved.number + 1, self._frame, bytes(body))
            entry.written = time.time()

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give the claim up."""
        if self._refusal is None:
            self._refuse("closed", "the claim was closed")
            forks.release(self)
            self._entry.claim = None

    def disown(self) -> None:
        """Be the claim in a forked child, which has none."""
        self._refuse("forked", f"the claim belongs to the parent process, not to its child {os.getpid()}")

    def _check(self, size: int, room: int) -> None:
        if self._refusal is not None:
            raise self._refusal
        if size > room:
            told = f"{self._name}: {size} bytes do not fit: there is room for {room}"
            raise StoreError(told, self.more_room, kind="too-large")

    def _refuse(self, kind: str, text: str) -> None:
        self._refusal = StoreError(f"{self._name}: {text}", "claim the record again", kind=kind)


class _Entry:
    def __init__(self) -> None:
        self.saved = Saved(0, b"", b"")
        self.written = time.time()
        self.holder: Holder | None = None
        self.claim: MemoryClaim | None = None


def _seen(key: Key, entry: _Entry) -> Snapshot:
    held = entry.claim is not None
    return Snapshot(*key, "", _resumable(entry.saved), entry.written, entry.holder, held, ())


def _resumable(saved: Saved) -> Saved | None:
    return saved if saved.frame or saved.body else None


def _shown(sequence: str, instance: str) -> str:
    return f"{sequence}@{instance}" if instance else sequence
