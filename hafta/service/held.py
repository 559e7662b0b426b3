"""Claims that stay with the process: a service holds its records from its first sequence to its end.

So nobody can take a record between one sequence and the next, the scoreboard shows who has it all the time, and a
sequence does not pay for opening, locking and reading a file. What a call would find when it claims a record again is
what this process has written to it, which is remembered here.
"""

from __future__ import annotations

from hafta.stores.around import ClaimAround, StoreAround
from hafta.stores.protocol import Saved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.protocol import Claim, Store


class HeldStore(StoreAround):
    """A store whose claims are given up by release() alone."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._claims: dict[tuple[str, str], HeldClaim] = {}

    def claim(self, sequence: str, instance: str = "", *, durable: bool = False) -> HeldClaim:
        """Claim a record, or go on with the claim that there is."""
        held = self._claims.get((sequence, instance))
        if held is None:
            held = self._claims[sequence, instance] = HeldClaim(self.store.claim(sequence, instance, durable=durable))
        return held

    def release(self) -> None:
        """Give up all claims."""
        while self._claims:
            self._claims.popitem()[1].claim.close()


class HeldClaim(ClaimAround):
    """A claim that close() leaves open."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(claim)
        self._written: tuple[bytes, bytes] | None = None  # by this process

    @property
    def last(self) -> Saved | None:
        """The newest record: what was found, or what this process has written since."""
        if self._written is None:
            return self.claim.last
        return Saved(0, *self._written) if any(self._written) else None

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        self.claim.write(body, sync)
        self._written = self.frame, body

    def close(self) -> None:
        """Do nothing: the claim stays with the process."""
