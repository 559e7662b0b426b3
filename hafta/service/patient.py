"""A store that hosts share, as a service uses it: an answer may take as long as a lease, and waiting is not a hang.

Each question is announced as a wait, so that neither a warm parent nor a watchdog takes an outage of the store for a
hang of the service. What bounds the wait is the lease: a write raises `lost` when it has ended.
"""

from __future__ import annotations

from contextlib import contextmanager

from hafta.stores.wrapping import WrappingClaim, WrappingStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from hafta.service.service import Service
    from hafta.stores.protocol import Claim, Snapshot, Store

LONGEST = 2  # leases: a question is asked for one, and its last try may take most of another


class PatientStore(WrappingStore):
    """The store; what it is asked may take long."""

    def __init__(self, store: Store, service: Service) -> None:
        super().__init__(store)
        self._service = service
        self.on_wait = self.still

    def still(self) -> None:
        """Show that the service is alive, and goes on waiting."""
        self._service.progress()
        self._service.waiting(LONGEST * self.ttl)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Announce a question that is asked inside."""
        self._service.waiting(LONGEST * self.ttl)
        try:
            yield
        finally:
            self._service.answered()

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> Claim:
        """Claim a record."""
        with self.asking():
            return PatientClaim(super().claim(sequence, instance, power=power), self)

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return the state of a record."""
        with self.asking():
            return super().peek(sequence, instance)

    def announce(self, sequence: str, instance: str) -> None:
        """Note that a service on this host waits for a record."""
        with self.asking():
            super().announce(sequence, instance)

    def wait(self, sequence: str, instance: str, seconds: float) -> bool:
        """Wait until a record may have become free, at most so long."""
        with self.asking():
            return super().wait(sequence, instance, seconds)


class PatientClaim(WrappingClaim):
    """The claim; a write may take long."""

    def __init__(self, claim: Claim, store: PatientStore) -> None:
        super().__init__(claim)
        self._asking: Callable[[], AbstractContextManager[None]] = store.asking
        self._still = store.still

    @property
    def on_wait(self) -> Callable[[], None] | None:
        """Called while a write waits for the store."""
        return self.claim.on_wait

    @on_wait.setter
    def on_wait(self, call: Callable[[], None] | None) -> None:
        self.claim.on_wait = self._still if call is not None else None

    def write(self, body: bytes, sync: bool = False) -> None:
        """Record the frame and `body`."""
        with self._asking():
            super().write(body, sync)

    def close(self) -> None:
        """Give up the claim."""
        with self._asking():
            super().close()
