"""What a store of checkpoints promises: the protocol of every store, and the values that pass through it.

docs/store.md, sections 1 and 2, has the promises in words. hafta.testing.stores has them as tests, which you can run
for your own store. A record has two parts, opaque to the store: the frame (changes at a transition) and the body
(changes at a checkpoint).
"""

from __future__ import annotations

import time

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol, Self
else:
    Protocol = object


class Saved(Frozen):
    """A whole record."""

    number: int
    frame: bytes
    body: bytes


class Incident(Frozen):
    """A problem that the store could work around. It is never silent: the driver reports it."""

    kind: str  # damaged, truncated, retried, holder: see docs/store.md, section 6
    text: str


MOST_INCIDENTS = 100  # in the list of a claim, if nothing clears it


class Holder(Frozen):
    """Who has, or last had, the claim."""

    pid: int
    unit: str  # of systemd or of the overlord; empty where there is none
    since: float  # wall clock, seconds since 1970
    host: str = ""  # for a store that several hosts share; empty: this host
    token: int = 0  # of its claim, in such a store
    mark: str = ""  # what tells its process from all others there (hafta/stores/leased/proof.py)


class Former(Frozen):
    """Who had a record before this claim, in a store that several hosts share."""

    holder: Holder
    gave_up: bool  # whether it gave the record up in order; else its lease ended, because it was not heard of
    free: float | None = None  # seconds for which nobody had the record then; None: the store does not know


class Move(Frozen):
    """What the owner of a record was asked for: to give it up, for another host."""

    to: str  # the host that is to have it; empty: any other one
    origin: str  # the host that had it then


class Snapshot(Frozen):
    """A record as another process sees it, without disturbing the holder."""

    sequence: str
    instance: str
    path: str  # empty for a store without files
    saved: Saved | None  # None: there is nothing to resume, or no whole record (see incidents)
    written: float  # wall clock of the newest record, seconds since 1970
    holder: Holder | None
    held: bool  # whether the holder is alive and has the claim now
    incidents: tuple[Incident, ...]
    owner: int = -1  # of the file: the id of a user; -1: not known, or no file
    move: Move | None = None  # that the holder was asked for, until another host has the record
    waiting: tuple[str, ...] = ()  # hosts on which a service waits for it


class Claim(Protocol):
    """The right to write the record of one sequence instance. Only one process at a time has it. A context manager.

    When nothing in its process refers to a claim any more, the claim is given up.
    """

    on_incident: Callable[[Incident], None] | None
    """Called with each incident from now on, in the middle of a write: it must not write to the claim, wait or raise.
    While it is None, incidents go to `incidents`, up to MOST_INCIDENTS."""

    on_wait: Callable[[], None] | None
    """Called again and again while a write waits for a store that does not answer: it feeds the watchdog."""

    @property
    def asked_to_move(self) -> bool:
        """Whether somebody asked for the record to go to another host: then the process of the claim stops."""

    former: Former | None
    """Who had the record before; None: nobody, or the store does not know."""

    @property
    def last(self) -> Saved | None:
        """The newest whole record at the time of the claim; None: there is nothing to resume."""

    @property
    def incidents(self) -> list[Incident]:
        """What was repaired, or made the store use an older record. The code that reports them clears the list."""

    @property
    def capacity(self) -> int:
        """Bytes for frame and body together."""

    @property
    def where(self) -> str:
        """Where the record is, for messages: the path of its file, or which memory."""

    @property
    def more_room(self) -> str:
        """A hint: what to do if a record does not fit."""

    @property
    def left(self) -> float:
        """Seconds for which the claim is surely ours, if nothing confirms it meanwhile; asking costs nothing.

        Infinity for a file or memory, whose lock ends with this process.
        """

    @property
    def lost(self) -> bool:
        """Whether another process may have the claim now: nothing is left.

        From then on no write is acknowledged, and what the process does to the outside world is no longer protected.
        """

    @property
    def token(self) -> int:
        """A number that is larger than that of every earlier claim; 0: the store has none, because it is one host's."""

    def enter(self, frame: bytes) -> None:
        """Use `frame` for the records that follow; writes nothing. Before the first call, the frame of `last` is used.

        Raises StoreError: too-large, closed, forked.
        """

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`. When it returns, the record survives the death of this process.

        With `sync` it also survives the death of the machine. Raises StoreError. Then the previous record is still
        there, the claim stays usable, and the next reader finds either that record or this one.
        """

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume. Raises StoreError."""

    def close(self) -> None:
        """Give up the claim; the record stays. Closing twice is fine."""

    def __enter__(self) -> Self:
        """Return the claim."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


class Closing:
    """A base for claims: leaving its context closes it. It belongs to one host: its lock ends with its process."""

    __slots__ = ()
    left = float("inf")
    lost = False
    on_wait: Callable[[], None] | None = None
    token = 0
    asked_to_move = False
    former: Former | None = None

    def close(self) -> None:
        """Give up the claim; a claim defines it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class OneHost:
    """A base for stores whose claims end with their process, on the same host."""

    __slots__ = ()
    ttl = float("inf")
    on_wait: Callable[[], None] | None = None

    def announce(self, sequence: str, instance: str) -> None:
        """Note nothing: nobody waits here."""

    def wait(self, sequence: str, instance: str, seconds: float) -> bool:  # noqa: ARG002 - nothing announces the end
        """Wait so long."""
        time.sleep(seconds)
        return False


class Store(Protocol):
    """Where records live. `sequence` and `instance` name one record; `instance` may be empty."""

    on_wait: Callable[[], None] | None
    """Called again and again while a store that hosts share does not answer: it feeds the watchdog."""

    @property
    def where(self) -> str:
        """Where the records are, for messages. If it is equal for two stores, they have the same records."""

    @property
    def ttl(self) -> float:
        """Seconds after which a claim ends whose process is not heard of; infinity: claims end with their process."""

    def wait(self, sequence: str, instance: str, seconds: float) -> bool:
        """Wait until a record may have become free, at most so long. False: nothing was heard. Raises StoreError."""

    def announce(self, sequence: str, instance: str) -> None:
        """Note that a service on this host waits for a record, where hosts share the store."""

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> Claim:
        """Claim a record. If there is none, an empty one is made.

        `power`: the record that was read is on the disk before this returns.
        Raises StoreError: held, damaged, format, name, shared, ...
        """

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return the state of a record, without a lock and without writing. None: there is none. Raises StoreError."""

    def snapshots(self) -> list[Snapshot]:
        """Return every record of the store, by name. A damaged record is listed with an incident. Raises StoreError."""

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record, damaged or not. False: there was none. Raises StoreError: held, ..."""
