"""Claims that stay with the process: a service holds its records from its first sequence to its end.

So no other process can take a record between two sequences, and the scoreboard always shows the holder. Nor does each
sequence open, lock and read a file again. When a call claims a record again, it finds what this process wrote last:
that is remembered here.
"""

from __future__ import annotations

import os
import signal

from hafta.errors import UsageError
from hafta.stores.protocol import Saved
from hafta.stores.wrapping import WrappingClaim, WrappingStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.service.service import Service
    from hafta.stores.protocol import Claim, Store


class HeldStore(WrappingStore):
    """A store whose claims only release() gives up. A service waits for its turn where hosts share the store."""

    def __init__(self, store: Store, service: Service | None = None) -> None:
        if service is not None and store.ttl != float("inf"):
            from hafta.service.patient import PatientStore

            store = PatientStore(store, service)
        super().__init__(store)
        self._claims: dict[tuple[str, str], HeldClaim] = {}
        self._service = service
        self._moves = False  # whether the process was stopped for that
        if service is not None and store.ttl != float("inf"):
            _check(store.ttl, service.watchdog.period)
            service.watchdog.left = self.left

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> HeldClaim:
        """Claim a record, or return the claim that this process already has."""
        held = self._claims.get((sequence, instance))
        if held is None:
            claim = self._in_turn(sequence, instance, power=power)
            held = self._claims[sequence, instance] = HeldClaim(claim, lambda: self._move(sequence, instance))
        return held

    def _move(self, sequence: str, instance: str) -> None:
        """Stop the process, so that another host can have the record: it has just been written."""
        if self._service is not None and not self._moves:
            from hafta.journal.durable_events import MoveAsked

            self._moves = True
            self._service.report(MoveAsked(sequence, instance, self.store.where))
            os.kill(os.getpid(), signal.SIGTERM)  # raises Stop, as if the overlord had sent it

    def left(self) -> float:
        """Return the seconds for which all claims are surely ours."""
        return min((held.left for held in self._claims.values()), default=float("inf"))

    def _in_turn(self, sequence: str, instance: str, *, power: bool) -> Claim:
        if self._service is None or self.store.ttl == float("inf"):
            return self.store.claim(sequence, instance, power=power)
        from hafta.service.standby import claim_in_turn

        return claim_in_turn(self._service, self.store, sequence, instance, power=power)

    def release(self) -> None:
        """Give up all claims."""
        while self._claims:
            self._claims.popitem()[1].claim.close()


class HeldClaim(WrappingClaim):
    """A claim that close() leaves open."""

    def __init__(self, claim: Claim, on_move: Callable[[], None]) -> None:
        super().__init__(claim)
        self._on_move = on_move
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
        if self.claim.asked_to_move:
            self._on_move()

    def close(self) -> None:
        """End the reports: the call has ended. The claim stays with the process."""
        self.on_incident = None


def _check(ttl: float, watchdog: float | None) -> None:
    """Refuse a watchdog that could kill only after the lease has ended. Raises UsageError."""
    from hafta.stores.leased.lease import least_ttl

    if watchdog is not None and ttl < least_ttl(watchdog):
        raise UsageError(
            f"a lease of {ttl:g} s is too short for a watchdog of {watchdog:g} s: a hang could outlive the lease",
            f"set --ttl to {least_ttl(watchdog):g} or more, or WatchdogSec= to less than half of the lease",
        )
