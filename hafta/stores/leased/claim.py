"""The claim of a record that several hosts share: a lease, a fence, and a deadline for each write (docs/hosts.md)."""

from __future__ import annotations

import os
import time
from threading import RLock

from hafta.errors import StoreError
from hafta.stores import forks
from hafta.stores.leased.backend import Unreachable
from hafta.stores.leased.keeper import Keeper
from hafta.stores.leased.lease import now
from hafta.stores.protocol import MOST_INCIDENTS, Closing, Incident, Saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.stores.leased.backend import Backend, Key, Taken
    from hafta.stores.leased.lease import Lease

PAUSE = 0.02  # of the TTL: between two tries of a write
TOLD = 0.2  # seconds that a write may take before it is an incident
MORE_ROOM = "record less (a path instead of the contents), or make the store with a larger capacity"


class LeasedClaim(Closing):
    """The claim of one record (hafta.stores.protocol.Claim)."""

    more_room = MORE_ROOM

    def __init__(self, backend: Backend, key: Key, taken: Taken, lease: Lease, capacity: int) -> None:
        saved = taken.saved
        self.last = saved if saved.frame or saved.body else None
        self.incidents: list[Incident] = []
        self.on_incident: Callable[[Incident], None] | None = None
        self.on_wait: Callable[[], None] | None = None
        self.capacity = capacity
        self.where = f"{backend.where}, record {key}"
        self.token = taken.token
        self.former = taken.former
        self._lease = lease
        self._backend = backend
        self._record = _Record(key, taken)
        self._lock = RLock()
        self._refusal: StoreError | None = None
        forks.adopt(self)
        self._keeper = Keeper(self, backend, key, taken, lease)

    @property
    def left(self) -> float:  # type: ignore[override]
        """Seconds for which the record is surely ours."""
        return self._lease.left()

    @property
    def lost(self) -> bool:  # type: ignore[override]
        """Whether another host may have the record now."""
        return self._lease.left() <= 0

    @property
    def asked_to_move(self) -> bool:  # type: ignore[override]
        """Whether somebody asked for the record to go to another host."""
        return self._lease.asked_to_move

    def enter(self, frame: bytes) -> None:
        """Use the frame for the records that follow."""
        self._check(len(frame), self.capacity)
        self._record.frame = bytes(frame)

    def write(self, body: bytes, sync: bool = False) -> None:  # noqa: ARG002 - the protocol's: the store always syncs
        """Record the frame and `body`; wait for the store until the lease ends. Raises StoreError."""
        if self._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as stores/file/writing.py
            hint = "do not write checkpoints from a signal handler"
            raise StoreError(f"{self.where}: this thread is in the middle of a write", hint, kind="busy")
        with self._lock:
            self._check(len(body), self.capacity - len(self._record.frame))
            began = now()
            trouble = self._put(self._record.next(bytes(body)))
            if trouble and (took := now() - began) > TOLD:
                self._report(Incident("retried", f"{self.where}: {trouble}; the write took {took:.1f} s"))

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give up the claim, at once if the store can be reached."""
        if self._refusal is not None:
            return
        self._refuse("closed", "the claim was closed")
        self._keeper.end()
        if not self.lost:
            self._lease.end()
            try:
                self._backend.give_up(self._record.key, self._record.taken)
            except (Unreachable, StoreError):
                return  # the lease ends by itself

    def disown(self) -> None:
        """Refuse all use: this is a forked child, which has neither the thread nor the connections."""
        self._lock = RLock()
        self._refuse("forked", f"the claim belongs to the parent process, not to its child {os.getpid()}")

    def _put(self, saved: Saved) -> str:
        """Write until the store has answered. Return why it had to be asked again; empty: it had not."""
        trouble = ""
        while (left := self._lease.left()) > 0:
            sent = now()
            try:
                taken = self._backend.put(self._record.key, self._record.taken, saved, self._lease.ttl, left)
            except Unreachable as error:
                trouble = str(error)
                if self.on_wait is not None:
                    self.on_wait()
                time.sleep(min(PAUSE * self._lease.ttl, max(0.0, left)))
                continue
            if taken is None:
                raise self._lose("another host has taken it over")
            self._record.taken = taken
            self._lease.confirm(sent)
            if self.lost:
                break  # it may be there, but it came too late to be acknowledged
            return trouble
        raise self._lose(trouble or "the lease has ended")

    def _lose(self, why: str) -> StoreError:
        self._lease.end()
        self._keeper.end()
        hint = "the owner is found by `hafta checkpoints`; this process must end, because another one may do its work"
        self._refusal = StoreError(f"{self.where}: lost: {why}", hint, kind="lost")
        return self._refusal

    def _check(self, size: int, room: int) -> None:
        if self._refusal is not None:
            raise self._refusal
        if size > room:
            told = f"{self.where}: {size} bytes do not fit: there is room for {room}"
            raise StoreError(told, self.more_room, kind="too-large")
        if self.lost:
            raise self._lose("the lease has ended")

    def _refuse(self, kind: str, text: str) -> None:
        self._refusal = StoreError(f"{self.where}: {text}", "claim the record again", kind=kind)

    def _report(self, incident: Incident) -> None:
        if self.on_incident is not None:
            self.on_incident(incident)
        elif len(self.incidents) < MOST_INCIDENTS:
            self.incidents.append(incident)


class _Record:
    """What is written next, and what the database knows of it."""

    __slots__ = ("frame", "key", "number", "taken")

    def __init__(self, key: Key, taken: Taken) -> None:
        self.key = key
        self.taken = taken
        self.frame = taken.saved.frame
        self.number = taken.saved.number

    def next(self, body: bytes) -> Saved:
        """Return the next record. Its number is used up, whether or not it will be written."""
        self.number += 1
        return Saved(self.number, self.frame, body)
