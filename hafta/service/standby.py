"""Waiting for one's turn: another host has the record, and this service takes over when that host's lease ends."""

from __future__ import annotations

import random

from hafta.errors import StoreError
from hafta.journal.durable_events import StandingBy, TakenOver
from hafta.stores.holder import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.service.service import Service
    from hafta.stores.protocol import Claim, Holder, Store

LOOKS = 3  # in the time of a lease: how often the store is asked, if nothing is heard from it
RUSH = 0.1  # seconds over which those spread who have all heard at once that the record is free


def claim_in_turn(service: Service, store: Store, sequence: str, instance: str, *, power: bool) -> Claim:
    """Return the claim when nobody else has it. READY is sent, STATUS says who has it. Raises StoreError."""
    known: Holder | None = None
    since = 0.0
    while True:
        seen = store.peek(sequence, instance)
        if seen is not None and seen.held:
            if seen.holder != known or not since:
                known, since = seen.holder, since or service.now()
                service.ready(f"standby: {sequence} is held by {describe(known)}")
                service.report(StandingBy(sequence, instance, store.where, describe(known)))
            _wait(service, store, sequence, instance)
            continue
        claim = _taken(store, sequence, instance, power=power)
        if claim is not None:
            service.status("")
            waited = round((service.now() - since) * 1_000_000) if since else 0
            service.report(TakenOver(sequence, instance, store.where, describe(known), claim.token, waited))
            return claim


def _wait(service: Service, store: Store, sequence: str, instance: str) -> None:
    end = service.now() + store.ttl / LOOKS
    while service.now() < end:
        if store.wait(sequence, instance, service.slice):
            service.sleep(random.uniform(0, RUSH))  # noqa: S311 - no secret
            return
        service.progress()


def _taken(store: Store, sequence: str, instance: str, *, power: bool) -> Claim | None:
    """Return the claim; None: another one was faster."""
    try:
        return store.claim(sequence, instance, power=power)
    except StoreError as error:
        if error.kind != "held":
            raise
        return None
