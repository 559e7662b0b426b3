"""The stores that several hosts share: EtcdStore and PostgresStore, and what is the same in both (docs/hosts.md)."""

from __future__ import annotations

import contextlib
import time

from hafta.errors import StoreError
from hafta.stores.holder import describe, host
from hafta.stores.leased import names
from hafta.stores.leased.backend import Seen, Taken, Unreachable
from hafta.stores.leased.claim import LeasedClaim
from hafta.stores.leased.lease import Lease, checked_ttl, now
from hafta.stores.leased.proof import is_dead
from hafta.stores.protocol import Saved, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from hafta.stores.leased.backend import Backend
    from hafta.stores.protocol import Move

    T = TypeVar("T")

PORT = 2379  # etcd's own
CAPACITY = 64 * 1024  # bytes for frame and body together
AGAIN = 0.5  # seconds until a database that could not be reached is asked again
PATIENCE = 5  # of these are in a TTL: the time that one endpoint may take to answer


class LeasedStore:
    """Records in a database (hafta.stores.protocol.Store)."""

    def __init__(self, backend: Backend, ttl: float, capacity: int) -> None:
        self.ttl = checked_ttl(ttl)
        self.where = backend.where
        self.on_wait: Callable[[], None] | None = None
        self._backend = backend
        self._capacity = capacity

    def claim(self, sequence: str, instance: str = "", *, power: bool = False) -> LeasedClaim:  # noqa: ARG002 - both levels are the same here
        """Claim a record (hafta.stores.protocol.Store.claim)."""
        key, who = names.key(sequence, instance), names.who()

        def take() -> tuple[float, Taken | Seen]:
            return now(), self._backend.take(key, who, self.ttl)

        sent, taken = self._in_time(take)
        if isinstance(taken, Seen) and is_dead(taken.holder):
            dead = taken.token
            self._in_time(lambda: self._backend.release(key, dead))
            sent, taken = self._in_time(take)
        if isinstance(taken, Seen):
            raise _held(self.where, taken, "end that one; or run this one as a service, which waits for its turn")
        return LeasedClaim(self._backend, key, taken, Lease(self.ttl, sent), self._capacity)

    def peek(self, sequence: str, instance: str = "") -> Snapshot | None:
        """Return the state of a record (hafta.stores.protocol.Store.peek)."""
        key = names.key(sequence, instance)
        seen = self._in_time(lambda: self._backend.look(key))
        return None if seen is None else _snapshot(seen)

    def snapshots(self) -> list[Snapshot]:
        """Return every record (hafta.stores.protocol.Store.snapshots)."""
        return [_snapshot(seen) for seen in self._in_time(self._backend.look_at_all)]

    def discard(self, sequence: str, instance: str = "") -> bool:
        """Remove a record (hafta.stores.protocol.Store.discard)."""
        key = names.key(sequence, instance)
        removed = self._in_time(lambda: self._backend.remove(key))
        if isinstance(removed, Seen):
            raise _held(self.where, removed, "end its holder first")
        return removed

    def ask_to_move(self, sequence: str, instance: str, token: int, move: Move | None) -> bool:
        """Ask the owner with this token to give a record up for another host; None: take that back.

        False: another one is the owner by now, or none.
        """
        key = names.key(sequence, instance)
        return self._in_time(lambda: self._backend.ask(key, token, move))

    def announce(self, sequence: str, instance: str) -> None:
        """Note that a service on this host waits for a record, for the time of a lease: so that people know."""
        with contextlib.suppress(Unreachable):
            self._backend.announce(names.key(sequence, instance), host(), self.ttl)

    def wait(self, sequence: str, instance: str, seconds: float) -> bool:
        """Wait until a record may have become free (hafta.stores.protocol.Store.wait)."""
        try:
            return self._backend.wait(names.key(sequence, instance), seconds)
        except Unreachable:
            time.sleep(min(seconds, AGAIN))
            return False

    def close(self) -> None:
        """Close the connections. Claims stay: their leases end by themselves."""
        self._backend.close()

    def _in_time(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer, for as long as a lease. Raises StoreError of kind unreachable."""
        end, pause = now() + self.ttl, 0.05
        while True:
            try:
                return ask()
            except Unreachable as error:
                if now() + pause >= end:
                    hint = "look whether the database runs and can be reached from here (network, firewall, TLS)"
                    raise StoreError(f"{self.where}: {error}", hint, kind="unreachable") from error
            if self.on_wait is not None:
                self.on_wait()
            time.sleep(pause)
            pause = min(pause * 2, self.ttl / 4)


def _held(where: str, seen: Seen, hint: str) -> StoreError:
    return StoreError(f"{where}, record {seen.key}: held by {describe(seen.holder)}", hint, kind="held")


def _snapshot(seen: Seen) -> Snapshot:
    saved: Saved | None = seen.saved if seen.saved.frame or seen.saved.body else None
    return Snapshot(
        seen.key.sequence, seen.key.instance, "", saved, seen.written, seen.holder, seen.held, (), move=seen.move,
        waiting=seen.waiting,
    )  # fmt: skip


class EtcdStore(LeasedStore):
    """Records in etcd, for several hosts.

    `endpoints`: addresses, as a list or with commas: "https://a:2379,b:2379"; what follows takes the scheme of the
    first. `ttl`: seconds of a lease. `ca`, `cert`, `key`: files for TLS. `user`, `password`: etcd's own.
    `prefix`: of all keys. `capacity`: bytes for frame and body together.
    Raises ValueError, and ImportError where python3-urllib3 is missing.
    """

    def __init__(
        self,
        endpoints: str | list[str],
        *,
        ttl: float = 5.0,
        ca: str | None = None,
        cert: str | None = None,
        key: str | None = None,
        user: str = "",
        password: str = "",
        prefix: str = "hafta/",
        capacity: int = CAPACITY,
    ) -> None:
        from hafta.stores.leased.etcd import Etcd
        from hafta.stores.leased.gateway import Gateway

        tls = {"ca_certs": ca, "cert_file": cert, "key_file": key}
        given = {name: value for name, value in tls.items() if value}
        timeout = checked_ttl(ttl) / PATIENCE
        gateway = Gateway(addresses(endpoints), timeout, user=user, password=password, **given)
        super().__init__(Etcd(gateway, prefix), ttl, capacity)


class PostgresStore(LeasedStore):
    """Records in PostgreSQL, for several hosts.

    `dsn`: as of psycopg and libpq: "postgresql://user@a,b/hafta" or "host=a dbname=hafta". `ttl`: seconds of a lease.
    `capacity`: bytes for frame and body together. The tables are made at the first claim.
    Raises ValueError, and ImportError where python3-psycopg is missing.
    """

    def __init__(self, dsn: str, *, ttl: float = 5.0, capacity: int = CAPACITY) -> None:
        from hafta.stores.leased.postgres import Postgres

        super().__init__(Postgres(dsn, checked_ttl(ttl) / PATIENCE), ttl, capacity)


def addresses(endpoints: str | list[str]) -> tuple[str, ...]:
    """Return the endpoints as URLs. Raises ValueError."""
    parts = endpoints.split(",") if isinstance(endpoints, str) else list(endpoints)
    scheme = "http"
    found = []
    for part in map(str.strip, parts):
        before, colon, rest = part.partition("://")
        if colon:
            scheme = before
        address = (rest if colon else part).rstrip("/")
        if scheme not in {"http", "https"} or not address or set(address) & set("/?#@ "):
            raise ValueError(f"endpoint {part!r}: an endpoint is http://HOST:PORT or https://HOST:PORT")
        has_port = ":" in address.rpartition("]")[2]
        found.append(f"{scheme}://{address}" if has_port else f"{scheme}://{address}:{PORT}")
    return tuple(found)
