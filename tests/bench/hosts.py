"""What a checkpoint costs in a store that hosts share, against a bare compare-and-swap by the same client library.

One etcd and one PostgreSQL on loopback, whose disks are as fast as this one is. The bare ones lack the lease, the
owner and the number that makes a second try harmless.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from measure import Line, compare, wall

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "unit", "leased"))
from servers import Etcd, Postgres

from hafta.stores import EtcdStore, PostgresStore
from hafta.stores.leased.gateway import b64

WRITES = 50
BODY = b"x" * 64
TTL = 2.0


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    for name, kind, make, bare in (
        ("etcd", Etcd, EtcdStore, bare_etcd),
        ("PostgreSQL", lambda folder: Postgres(folder, fsync="on"), PostgresStore, bare_postgres),
    ):
        with tempfile.TemporaryDirectory() as folder:
            server = kind(Path(folder))
            try:
                yield from both(name, lambda ttl, server=server, make=make: make(server.address, ttl=ttl), bare)
            finally:
                server.end()


def both(
    name: str, make: Callable[[float], object], bare: Callable[[object], Callable[[], None]]
) -> Iterator[Line | str]:
    """Compare the writes of one store, and say how long a record that was given up, or held by the dead, takes."""
    store = make(60.0)
    with store.claim("bench") as claim:  # type: ignore[attr-defined]
        claim.enter(b"frame")
        floor = bare(store)
        yield compare(
            f"checkpoint, {name}",
            lambda: wall(lambda: [claim.write(BODY) for _ in range(WRITES)], WRITES) / 1000,
            lambda: wall(lambda: [floor() for _ in range(WRITES)], WRITES) / 1000,
            unit="us", against="a bare compare-and-swap of 64 bytes", goal="1.3x",
        )  # fmt: skip
    handed = statistics.median(take_over(make(60.0), lambda one: one.close()) for _ in range(15))
    yield f"a clean stop, {name}: the record is another's after {handed * 1000:.1f} ms (goal: 500 ms)"
    left = statistics.median(take_over(make(TTL), lambda one: one._keeper.end()) for _ in range(5))
    yield f"a holder that is not heard of, {name}, TTL {TTL:g} s: after {left:.2f} s (goal: TTL + 1 s)"


def take_over(store: object, leave: Callable[[object], object]) -> float:
    """Return the seconds from the end of one claim to the next one."""
    claim = store.claim("next")  # type: ignore[attr-defined]
    began = time.monotonic()
    leave(claim)
    while store.peek("next").held:  # type: ignore[attr-defined]
        store.wait("next", "", 0.1)  # type: ignore[attr-defined]
    store.claim("next").close()  # type: ignore[attr-defined]
    return time.monotonic() - began


def bare_etcd(store: object) -> Callable[[], None]:
    """Return a compare-and-swap of one key by its version."""
    ask = store._backend._ask  # type: ignore[attr-defined]
    key, value = b64(b"bare"), b64(BODY)
    at = int(ask("kv/put", key=key, value=value)["header"]["revision"])

    def swap() -> None:
        nonlocal at
        compared = [{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": at}]
        answer = ask("kv/txn", compare=compared, success=[{"requestPut": {"key": key, "value": value}}])
        assert answer["succeeded"]
        at = int(answer["header"]["revision"])

    return swap


def bare_postgres(store: object) -> Callable[[], None]:
    """Return a compare-and-swap of one row by its version."""
    ask = store._backend._writing.ask  # type: ignore[attr-defined]
    ask("CREATE TABLE bare (id int PRIMARY KEY, version bigint, value bytea)")
    ask("INSERT INTO bare VALUES (1, 0, '')")
    change = "UPDATE bare SET version = version + 1, value = decode($2, 'hex')"
    statement = f"{change} WHERE id = 1 AND version = $1::bigint RETURNING 1"
    version = 0

    def swap() -> None:
        nonlocal version
        assert ask(statement, str(version).encode(), BODY.hex().encode())
        version += 1

    return swap
