"""A store in memory: for tests, and for sequences that resume within the same process."""

from __future__ import annotations

import gc
import os
import time
from _thread import RLock
from _weakref import ref
from itertools import count

from hafta.errors import StoreError
from hafta.stores import forks
from hafta.stores.file import names
from hafta.stores.holder import describe, myself
from hafta.stores.protocol import Closing, Holder, Incident, OneHost, Saved, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Key = tuple[str, str]

_count = count(1)  # the stores of this process, to tell them apart


class MemoryStore(OneHost):
    """Records that live as long as this object. `capacity`: bytes for frame and body together."""

    def __init__(self, *, capacity: int = 4040) -> None:
        self.capacity = capacity
        self.where = f"memory {next(_count)}"
        self._lock = RLock()
        self._records: dict[Key, _Entry] = {}

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> MemoryClaim:  # noqa: ARG002 - the protocol's
        """Claim a record (hafta.stores.protocol.Store.claim)."""
        names.file_name(sequence, instance)  # the same names as in a file
        with self._lock:
            entry = self._records.setdefault((sequence, instance), _Entry())
            if entry.is_held():
                gc.collect()  # an interrupt may have left a forgotten claim in a circle of references
            if entry.is_held():
                hint = (
                    "only one call at a time may run a sequence instance: end that one, or give this one another"
                    " instance="
                )
                raise StoreError(f"{_shown(sequence, instance)}: held by {describe(entry.holder)}", hint, kind="held")
            return MemoryClaim(entry, _shown(sequence, instance), self)

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
            if entry is not None and entry.is_held():
                hint = "end its holder first"
                raise StoreError(f"{_shown(sequence, instance)}: held by {describe(entry.holder)}", hint, kind="held")
            return self._records.pop((sequence, instance), None) is not None


class MemoryClaim(Closing):
    """The claim of a record in memory (hafta.stores.protocol.Claim)."""

    more_room = "record less (a path instead of the contents), or make the store with a larger capacity"

    def __init__(self, entry: _Entry, name: str, store: MemoryStore) -> None:
        self.last = _resumable(entry.saved)
        self.incidents: list[Incident] = []
        self.on_incident: Callable[[Incident], None] | None = None  # memory has none
        self.capacity = store.capacity
        self.where = store.where
        self._entry = entry
        self._name = name
        self._frame = entry.saved.frame
        self._refusal: StoreError | None = None
        forks.adopt(self)
        entry.holder = myself()
        entry.claim = self._itself = ref(self)

    def enter(self, frame: bytes) -> None:
        """Take the frame for the records that follow."""
        self._check(len(frame), self.capacity)
        self._frame = bytes(frame)

    def write(self, body: bytes, sync: bool = False) -> None:  # noqa: ARG002 - the protocol's; memory has no disk
        """Record the frame and `body`."""
        self._check(len(body), self.capacity - len(self._frame))
        entry = self._entry
        entry.saved = Saved(next(entry.numbers), self._frame, bytes(body))
        entry.written = time.time()

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give up the claim."""
        if self._refusal is None:
            self._refuse("closed", "the claim was closed")
        if self._entry.claim is self._itself:
            self._entry.claim = None

    def disown(self) -> None:
        """Refuse all use: this is a forked child, which does not have the claim."""
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
        self.numbers = count(1)
        self.written = time.time()
        self.holder: Holder | None = None
        self.claim: ref[MemoryClaim] | None = None

    def is_held(self) -> bool:
        """Tell whether something still refers to a claim of this record."""
        return self.claim is not None and self.claim() is not None


def _seen(key: Key, entry: _Entry) -> Snapshot:
    held = entry.is_held()
    return Snapshot(*key, "", _resumable(entry.saved), entry.written, entry.holder, held, ())


def _resumable(saved: Saved) -> Saved | None:
    return saved if saved.frame or saved.body else None


def _shown(sequence: str, instance: str) -> str:
    return f"{sequence}@{instance}" if instance else sequence
