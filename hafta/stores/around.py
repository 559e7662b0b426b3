"""Stores and claims around others: everything is theirs but what a subclass does differently."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from hafta.stores.protocol import Claim, Incident, Saved, Snapshot, Store


class StoreAround:
    """A store (hafta.stores.protocol.Store) around another; a subclass says what its claims are."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def directory(self) -> str:
        """Where the records are, for messages; empty where they are in no files."""
        return str(getattr(self.store, "directory", ""))

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return where a record stands."""
        return self.store.peek(sequence, instance)

    def snapshots(self) -> list[Snapshot]:
        """Return every record."""
        return self.store.snapshots()

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record that is not held."""
        return self.store.discard(sequence, instance)


class ClaimAround:
    """A claim (hafta.stores.protocol.Claim) around another."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.capacity = claim.capacity
        self.frame = b""  # of the records that follow

    @property
    def last(self) -> Saved | None:
        """The newest record, when it was claimed."""
        return self.claim.last

    @property
    def incidents(self) -> list[Incident]:
        """What was mended or fell back."""
        return self.claim.incidents

    @property
    def path(self) -> str:
        """Where the record is, for messages; empty where it is in no file."""
        return str(getattr(self.claim, "path", ""))

    @property
    def more_room(self) -> str:
        """What to do where a record does not fit, as a hint."""
        return str(getattr(self.claim, "more_room", ""))

    def enter(self, frame: bytes) -> None:
        """Take the frame for the records that follow."""
        self.claim.enter(frame)
        self.frame = frame

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        self.claim.write(body, sync)

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Give the claim up."""
        self.claim.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
