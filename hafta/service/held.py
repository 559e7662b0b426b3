"""Claims that stay with the process: a service holds its records from its first sequence to its end.

So nobody can take a record between one sequence and the next, the scoreboard shows who has it all the time, and a
sequence does not pay for opening, locking and reading a file. What a call would find when it claims a record again is
what this process has written to it, which is remembered here.
"""

from __future__ import annotations

from hafta.stores.protocol import Saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from hafta.stores.protocol import Claim, Incident, Snapshot, Store


class HeldStore:
    """A store (hafta.stores.protocol.Store) whose claims are given up by release() alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claims: dict[tuple[str, str], HeldClaim] = {}

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> HeldClaim:
        """Claim a record, or go on with the claim that there is."""
        held = self._claims.get((sequence, instance))
        if held is None:
            held = self._claims[sequence, instance] = HeldClaim(self._store.claim(sequence, instance, durable=durable))
        return held

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return where a record stands."""
        return self._store.peek(sequence, instance)

    def snapshots(self) -> list[Snapshot]:
        """Return every record."""
        return self._store.snapshots()

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record that is not held."""
        return self._store.discard(sequence, instance)

    def release(self) -> None:
        """Give up all claims."""
        while self._claims:
            self._claims.popitem()[1].claim.close()


class HeldClaim:
    """A claim (hafta.stores.protocol.Claim) that close() leaves open."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.capacity = claim.capacity
        self._frame = b""
        self._written: tuple[bytes, bytes] | None = None  # by this process

    @property
    def last(self) -> Saved | None:
        """The newest record: what was found, or what this process has written since."""
        if self._written is None:
            return self.claim.last
        return Saved(0, *self._written) if any(self._written) else None

    @property
    def incidents(self) -> list[Incident]:
        """What was mended or fell back."""
        return self.claim.incidents

    def enter(self, frame: bytes) -> None:
        """Take the frame for the records that follow."""
        self.claim.enter(frame)
        self._frame = frame

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        self.claim.write(body, sync)
        self._written = self._frame, body

    def clear(self, sync: bool = False) -> None:
        """Record that there is nothing to resume."""
        self.enter(b"")
        self.write(b"", sync)

    def close(self) -> None:
        """Do nothing: the claim stays with the process."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
