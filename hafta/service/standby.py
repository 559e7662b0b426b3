"""Waiting for one's turn: another host has the record, and this service takes over when that host's lease ends."""

from __future__ import annotations

import random

from hafta.durable.bound import elsewhere_of
from hafta.errors import StoreError
from hafta.journal.durable_events import HandedOver, StandingBy, StoreTrouble, TakenOver, TakeOverRefused
from hafta.stores.holder import describe, host
from hafta.stores.leased.proof import is_dead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.durable.position import Position
    from hafta.service.service import Service
    from hafta.stores.protocol import Claim, Former, Holder, Snapshot, Store

LOOKS = 3  # in the time of a lease: how often the store is asked, if nothing is heard from it
FAST = 40  # the same, while it is on its way to another host
RUSH = 0.1  # seconds over which those spread who have all heard at once that the record is free


def claim_in_turn(service: Service, store: Store, sequence: str, instance: str, *, power: bool) -> Claim:
    """Return the claim when nobody else has it. READY is sent, STATUS says who has it. Raises StoreError."""
    turn = Turn(service, store, sequence, instance)
    while True:
        try:
            claim = _claim_if_free(turn, power=power)
        except StoreError as error:
            turn.bear(error)
        else:
            if claim is not None:
                return claim


def _claim_if_free(turn: Turn, *, power: bool) -> Claim | None:
    """Look at the record, and return the claim if it is free for this host; None: some time has passed."""
    seen = turn.store.peek(*turn.name)
    if seen is not None:
        if seen.held and not is_dead(seen.holder):
            turn.wait_for(seen)
            return None
        if (position := elsewhere_of(seen.saved)) is not None:
            turn.refuse(position)
            return None
        if turn.is_for_another(seen):
            return None
    claim = _taken(turn.store, *turn.name, power=power)
    if claim is None:
        return None
    if elsewhere_of(claim.last) is not None:  # another one has had it meanwhile
        claim.close()
        return None
    turn.has_come(claim)
    return claim


class Turn:
    """The wait of one service for one record, from its first look to its claim."""

    def __init__(self, service: Service, store: Store, sequence: str, instance: str) -> None:
        self.service = service
        self.store = store
        self.name = (sequence, instance)
        self.known: Holder | tuple[str, str] | None = None  # who has it, or which node needs which host, as it was told
        self.since: float | None = None  # when the wait began
        self.held = 0.0  # when the record was last seen to be somebody's
        self.trouble = ""  # why the store did not note that this host waits
        self.left: float | None = None  # when it was first seen to be free, for another host

    def wait_for(self, seen: Snapshot) -> None:
        """Say who has the record, if that is news, and wait until it may have become free."""
        service = self.service
        self.held, self.left = service.now(), None
        self.announce()
        if self.since is None or seen.holder != self.known:
            self.since = self.held if self.since is None else self.since
            self.known = seen.holder
            service.ready(f"standby: {self.name[0]} is held by {describe(seen.holder)}")
            service.report(StandingBy(*self.name, self.store.where, describe(seen.holder)))
        end = self.held + self.store.ttl / LOOKS
        while service.now() < end:
            if self.store.wait(*self.name, service.slice):
                self.held = service.now()
                service.sleep(random.uniform(0, RUSH))  # noqa: S311 - no secret
                return
            if is_dead(seen.holder):  # on this host
                return
            service.progress()

    def announce(self) -> None:
        """Note that this host waits. That is for people and for `hafta move`: it is tried again, and ends nothing."""
        try:
            self.store.announce(*self.name)
        except StoreError as error:
            self._complain(error, "this host waits without being shown, and tries again")
        else:
            self.trouble = ""

    def bear(self, error: StoreError) -> None:
        """Go on waiting where a store cannot be reached that answered before: it has no lease to lose.

        Raises the error where it is another one, or where this service has not been standby yet.
        """
        if error.kind != "unreachable" or self.since is None:
            raise error
        self.known = None  # so that the journal says who has the record when the store is back
        self.service.status(f"standby: {self.name[0]}: the store cannot be reached")
        self._complain(error, "this host stays standby, and tries again")
        self.service.sleep(self.store.ttl / FAST)

    def _complain(self, error: StoreError, action: str) -> None:
        trouble = error.kind if error.kind == "unreachable" else error.message  # those have times and ports in them
        if self.trouble != trouble:
            self.service.report(StoreTrouble(*self.name, self.store.where, error.message, action))
        self.trouble = trouble

    def refuse(self, position: Position) -> None:
        """Say which host is needed, if that is news, and let some time pass: it may be back then."""
        service, needs = self.service, (position.bound, position.host)
        if self.known != needs:
            self.known = needs
            self.since = service.now() if self.since is None else self.since
            node, bound_to = needs
            service.ready(f"standby: {self.name[0]} waits for host {bound_to}: node {node} needs what is on its disk")
            service.report(TakeOverRefused(*self.name, self.store.where, host(), *needs))
        service.sleep(self.store.ttl / LOOKS)

    def is_for_another(self, seen: Snapshot) -> bool:
        """Let some time pass, and return True, where the record is on its way to another host.

        That one may have died meanwhile: after the time of a lease anybody may take it.
        """
        move, now = seen.move, self.service.now()
        if move is None or (move.to or host()) == host() != move.origin:
            return False
        self.left = now if self.left is None else self.left
        if now >= self.left + self.store.ttl:
            return False
        self.service.ready(f"standby: {self.name[0]} goes from {move.origin} to {move.to or 'another host'}")
        self.service.sleep(self.store.ttl / FAST)
        return True

    def has_come(self, claim: Claim) -> None:
        """Say from whom the record comes, unless that was an earlier run of this service which ended in order."""
        service, former = self.service, claim.former
        if self.since is not None:
            service.status("")
        if former is None:
            return
        if former.free is None and self.since is not None:  # the store has no clock; ours saw the end
            former = claim.former = former.replace(free=max(0.0, service.now() - self.held))
        if self.since is not None or former.holder.host != host() or not former.gave_up:
            service.report(self._event(claim, former))

    def _event(self, claim: Claim, former: Former) -> HandedOver | TakenOver:
        since = self.service.now() if self.since is None else self.since
        kind = HandedOver if former.gave_up else TakenOver
        free = None if former.free is None else round(former.free * 1_000_000)
        waited = round((self.service.now() - since) * 1_000_000)
        tokens = former.holder.token, claim.token
        return kind(*self.name, self.store.where, host(), describe(former.holder), *tokens, waited, free)


def _taken(store: Store, sequence: str, instance: str, *, power: bool) -> Claim | None:
    """Return the claim; None: another one was faster."""
    try:
        return store.claim(sequence, instance, power=power)
    except StoreError as error:
        if error.kind != "held":
            raise
        return None
