"""`hafta move`: have the owner of a record hand it over to another host, and say how long nobody had it."""

from __future__ import annotations

import time

import click

from hafta import exits
from hafta.cli.looking import STORE_URL, read, shared_store
from hafta.cli.options import options
from hafta.cli.table import put, shown
from hafta.durable import codec
from hafta.errors import HaftaError, UsageError
from hafta.observe.sources.records import find_in, pick
from hafta.settings import Program, Setting, positive
from hafta.stores.protocol import Move

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.stores.leased.store import LeasedStore
    from hafta.stores.protocol import Holder, Snapshot

LOOK = 0.02  # seconds between two looks
LONGEST = 2  # of a lease: for so long the record may be free
TO = Setting("to", str, "", "the host that is to have it", "HOST", shown_default="any that waits")
WITHIN = Setting("within", positive, 60, "how long to wait for the move", "SECONDS")

PROGRAM = Program(
    "hafta move",
    "Have the service that runs a sequence stop and hand it over to another host, where one waits as standby.",
    (STORE_URL, TO, WITHIN),
    (
        exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.TIMED_OUT, exits.SYSTEM,
    ),
    "SEQUENCE[@INSTANCE]",
)  # fmt: skip


@click.command(name="move", help=PROGRAM.summary, options_metavar="[OPTION]...")
@options(PROGRAM)
@click.argument("name", metavar=PROGRAM.operands)
def move(name: str, **given: Any) -> int:
    """Ask the owner, and wait until another host has the record."""
    values = read(PROGRAM, given)
    if not values.store:
        raise UsageError("which store is it?", "name the one that the hosts share: --store URL, or HAFTA_STORE=")
    store = shared_store(values.store)
    found = pick(find_in(store), name).snapshot
    names = found.sequence, found.instance
    seen = store.peek(*names)
    if seen is None:
        raise HaftaError(f"there is no record of {name} any more", status=exits.NOT_FOUND)
    holder = _movable(name, seen, values.to)
    if values.to == holder.host:
        put(shown(f"{name} is on {holder.host} already"))
        return exits.OK
    if not store.ask_to_move(*names, holder.token, Move(values.to, holder.host)):
        raise HaftaError(
            f"{name} has just left {holder.host}",
            "look where it is: hafta checkpoints --store URL",
            status=exits.FAILED,
        )
    return _watch(store, name, names, holder, values)


def _movable(name: str, seen: Snapshot, to: str) -> Holder:
    """Return who has the record. Raises HaftaError where it cannot go from there to that host."""
    if not seen.held or seen.holder is None:
        raise HaftaError(
            f"nobody runs {name} now", "start its service on the host that is to have it", status=exits.FAILED
        )
    if to == seen.holder.host:
        return seen.holder
    if seen.saved is not None and (bound := codec.position(seen.saved.frame, seen.saved.body).bound):
        needs = f"node {bound} needs what is on the disk of host {seen.holder.host}"
        raise HaftaError(
            f"{name} cannot leave: {needs}", "wait until that node is over, and run this again", status=exits.FAILED
        )
    waiting = [host for host in seen.waiting if host != seen.holder.host]
    if (to or waiting) and to in {"", *waiting}:
        return seen.holder
    what = f"nobody waits for {name}" + (f" on host {to}" if to else "")
    others = f"; it could go to {', '.join(waiting)}" if waiting else ""
    raise HaftaError(
        f"{what}, so it stays on {seen.holder.host}", f"start its service there as standby{others}", status=exits.FAILED
    )


def _watch(store: LeasedStore, name: str, names: tuple[str, str], before: Holder, values: Any) -> int:
    """Wait until another process has the record. Raises HaftaError if none has in time."""
    end = time.monotonic() + values.within
    free, since = 0.0, 0.0  # for how long nobody has had it; since when nobody has it
    while True:
        seen, now = store.peek(*names), time.monotonic()
        if seen is None:
            raise HaftaError(f"the record of {name} was discarded meanwhile", status=exits.NOT_FOUND)
        if seen.held:
            free, since = free + (now - since if since else 0.0), 0.0
            if seen.holder is not None and seen.holder.token != before.token:
                return _tell(name, before, seen.holder, free, values.to)
            if now > end:
                store.ask_to_move(*names, before.token, None)
                hint = "it stops when it records something: a checkpoint, or the end of a node; look what it does"
                problem = f"{name} has not left {before.host} within {values.within} s, and stays there"
                raise HaftaError(problem, hint, status=exits.TIMED_OUT)
        else:
            since = since or now
            if now > max(end, since + LONGEST * store.ttl):
                hint = "look at the journals of the services that wait for it"
                raise HaftaError(f"{name} has left {before.host}, and nobody has it", hint, status=exits.TIMED_OUT)
        time.sleep(LOOK)


def _tell(name: str, before: Holder, now: Holder, free: float, to: str) -> int:
    """Say where the record has gone. Raises HaftaError if that is not where it was to go."""
    tokens = f"token {now.token} after {before.token}"
    put(shown(f"{name}: from {before.host} to {now.host}, {tokens}; nobody had it for {free:.2f} s"))
    if now.host != before.host and to in {"", now.host}:
        return exits.OK
    hint = "the host that was to have it has not taken it in time: look at the journal there"
    raise HaftaError(f"{name} is on {now.host}" + (f", not on {to}" if to else ""), hint, status=exits.FAILED)
