"""Stores and claims around others: a subclass defines what it does differently, and everything else is passed on.

For stores that add something, and for test doubles.
"""

from __future__ import annotations

from hafta.stores.protocol import Closing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.stores.protocol import Claim, Incident, Saved, Snapshot, Store


class WrappingStore:
    """A store (hafta.stores.protocol.Store) around another."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def where(self) -> str:
        """Where the records are, for messages."""
        return self.store.where

    @property
    def ttl(self) -> float:
        """Seconds after which a claim ends whose process is not heard of."""
        return self.store.ttl

    @property
    def on_wait(self) -> Callable[[], None] | None:
        """Called while the store does not answer."""
        return self.store.on_wait

    @on_wait.setter
    def on_wait(self, call: Callable[[], None] | None) -> None:
        self.store.on_wait = call

    def announce(self, sequence: str, instance: str) -> None:
        """Note that a service on this host waits for a record."""
        self.store.announce(sequence, instance)

    def wait(self, sequence: str, instance: str, seconds: float) -> bool:
        """Wait until a record may have become free, at most so long. False: nothing was heard."""
        return self.store.wait(sequence, instance, seconds)

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> Claim:
        """Claim a record."""
        return self.store.claim(sequence, instance, power=power)

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return the state of a record."""
        return self.store.peek(sequence, instance)

    def snapshots(self) -> list[Snapshot]:
        """Return every record."""
        return self.store.snapshots()

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record that is not held."""
        return self.store.discard(sequence, instance)


class WrappingClaim(Closing):
    """A claim (hafta.stores.protocol.Claim) around another."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.capacity = claim.capacity
        self.former = claim.former
        self.frame = claim.last.frame if claim.last else b""  # of the records that follow

    @property
    def last(self) -> Saved | None:
        """The newest record at the time of the claim."""
        return self.claim.last

    @property
    def incidents(self) -> list[Incident]:
        """What was repaired, or made the store use an older record."""
        return self.claim.incidents

    @property
    def on_incident(self) -> Callable[[Incident], None] | None:
        """Called with each incident from now on."""
        return self.claim.on_incident

    @on_incident.setter
    def on_incident(self, take: Callable[[Incident], None] | None) -> None:
        self.claim.on_incident = take

    @property
    def where(self) -> str:
        """Where the record is, for messages."""
        return self.claim.where

    @property
    def more_room(self) -> str:
        """A hint: what to do if a record does not fit."""
        return self.claim.more_room

    @property
    def on_wait(self) -> Callable[[], None] | None:
        """Called while a write waits for the store."""
        return self.claim.on_wait

    @on_wait.setter
    def on_wait(self, call: Callable[[], None] | None) -> None:
        self.claim.on_wait = call

    @property
    def left(self) -> float:  # type: ignore[override]
        """Seconds for which the claim is surely ours."""
        return self.claim.left

    @property
    def lost(self) -> bool:  # type: ignore[override]
        """Whether another process may have the claim now."""
        return self.claim.lost

    @property
    def token(self) -> int:  # type: ignore[override]
        """A number that is larger than that of every earlier claim; 0: the store has none."""
        return self.claim.token

    @property
    def asked_to_move(self) -> bool:  # type: ignore[override]
        """Whether somebody asked for the record to go to another host."""
        return self.claim.asked_to_move

    def enter(self, frame: bytes) -> None:
        """Use the frame for the records that follow."""
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
        """Give up the claim."""
        self.claim.close()
