"""The thread that confirms a lease. It ends with its claim, and cannot outlive its process.

It says that the process and the way to the store are alive, and nothing about the work (docs/hosts.md, rule 4).
"""

from __future__ import annotations

import contextlib
from threading import Event, Thread
from weakref import ref

from hafta.errors import StoreError
from hafta.stores.leased.backend import Unreachable
from hafta.stores.leased.lease import now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.stores.leased.backend import Backend, Key, Taken
    from hafta.stores.leased.lease import Lease

AGAIN = 0.05  # of the TTL: the pause after a confirmation that got no answer


class Keeper:
    """Confirms the lease of a claim until it is closed, forgotten or lost."""

    def __init__(self, claim: object, backend: Backend, key: Key, taken: Taken, lease: Lease) -> None:
        self._backend = backend
        self._key = key
        self._taken = taken
        self._lease = lease
        self._over = over = Event()
        self._claim = ref(claim, lambda _gone: over.set())
        self._thread = Thread(target=self._keep, name=f"hafta lease of {key}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let the thread end, without waiting for it."""
        self._over.set()

    def _keep(self) -> None:
        pause = self._lease.beat
        while not self._over.wait(pause):
            pause = self._confirm()
            if self._lease.left() <= 0:
                return
        if self._claim() is None:  # nothing refers to it any more: nobody can close it
            with contextlib.suppress(Unreachable, StoreError):
                self._backend.give_up(self._key, self._taken)

    def _confirm(self) -> float:
        """Confirm once; return the seconds until the next time."""
        sent = now()
        try:
            if self._backend.confirm(self._key, self._taken, self._lease.ttl):
                self._lease.confirm(sent)
                self._lease.asked_to_move = self._backend.asked_to_move(self._key)
            else:
                self._lease.end()
        except (Unreachable, StoreError):
            return self._lease.ttl * AGAIN
        return max(0.0, self._lease.beat - (now() - sent))
