"""What a store of checkpoints promises: the protocol of every store, and the values that pass through it.

The promises in words are in docs/store.md, sections 1 and 2; as tests in hafta.testing.stores, which a store of your
own can run. A record has two parts, opaque to the store: the frame (changes at a transition) and the body (changes at
a checkpoint).
"""

from __future__ import annotations

from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol, Self
else:
    Protocol = object


class Saved(Record):
    """A whole record."""

    number: int
    frame: bytes
    body: bytes


class Incident(Record):
    """Something that the store met and could go on from: never silent, the driver reports it."""

    kind: str  # damaged, truncated, retried, holder: see docs/store.md, section 6
    text: str


class Incidents(list[Incident]):
    """The incidents of a claim, the first MOST if nobody takes them; who listens is told of each at once.

    `listener` is called in the middle of a write: it must not write to the claim, wait, or raise.
    """

    MOST = 100
    listener: Callable[[], None] | None = None

    def append(self, incident: Incident) -> None:
        """Add one."""
        if len(self) < self.MOST:
            super().append(incident)
        if self.listener is not None:
            self.listener()


class Holder(Record):
    """Who has, or last had, the claim."""

    pid: int
    unit: str  # of systemd or of the overlord; empty where there is none
    since: float  # wall clock, seconds since 1970


class Snapshot(Record):
    """A record as another process sees it, without disturbing the one that holds it."""

    sequence: str
    instance: str
    path: str  # empty for a store that has no files
    saved: Saved | None  # None: nothing to resume, or nothing whole (see incidents)
    written: float  # wall clock of the newest record, seconds since 1970
    holder: Holder | None
    held: bool  # whether the holder is alive and has the claim now
    incidents: tuple[Incident, ...]


class Claim(Protocol):
    """The right, of one process at a time, to write the record of one sequence instance. Also a context manager."""

    last: Saved | None  # the newest whole record when it was claimed; None: there is nothing to resume
    incidents: list[Incident]  # what was mended or fell back; whoever reports them clears the list (see Incidents)
    capacity: int  # bytes for frame and body together

    def enter(self, frame: bytes) -> None:
        """Take `frame` for the records that follow; writes nothing. Until then it is the one of `last`.

        Raises StoreError: too-large, closed, forked.
        """

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`; acknowledged, against the death of this process, when it returns.

        With `sync` also against the death of the machine. Raises StoreError; the record before then still stands, the
        claim stays usable, and the next reader finds that record or this one.
        """

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume. Raises StoreError."""

    def close(self) -> None:
        """Give the claim up; the record stays. Closing twice is fine."""

    def __enter__(self) -> Self:
        """Return the claim."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


class Store(Protocol):
    """Where records live. `sequence` and `instance` name one; an empty instance is the only one of its sequence."""

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> Claim:
        """Claim a record, making an empty one where there is none.

        `durable`: what was read is on the disk before it is handed out.
        Raises StoreError: held, damaged, newer, name, shared, ...
        """

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return where a record stands, taking no lock and writing nothing. None: there is none. Raises StoreError."""

    def snapshots(self) -> list[Snapshot]:
        """Return every record of the store, by name; what is damaged is there, with an incident. Raises StoreError."""

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record, damaged or not. False: there was none. Raises StoreError: held, ..."""
