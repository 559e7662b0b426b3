"""What the sources say together: each unit with what may be believed of it, and the processes that no unit explains."""

from __future__ import annotations

import os
import time

from hafta.boot import boot_id
from hafta.observe import words
from hafta.observe.sources import trust
from hafta.observe.sources.published import Published
from hafta.observe.state import Now, process_of, service_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from hafta.observe.sources.records import Entry
    from hafta.observe.state import Service


def services_of(
    known: Mapping[str, tuple[str, Mapping[str, Any]]],
    published: Sequence[Published],
    entries: Sequence[Entry],
    environ: Mapping[str, str],
    *,
    of_user: bool,
) -> tuple[list[Service], Now]:
    """Return all that there is, the worst first, and when that was. `known`: who runs each unit, and its properties."""
    now = _now(known, published, entries)
    found = []
    for kind, facts in known.values():
        nobody = os.geteuid() if of_user or kind == words.EMBEDDED else trust.ROOT
        allowed = trust.speakers(facts, now.alive, nobody, environ)
        said = [each for each in published if each.owner in allowed]
        found.append(service_of(facts, kind, said, [each for each in entries if each.owner in allowed], now))
    explained = {service.facts.get("MainPID") for service in found}
    explained |= {each.pid for service in found for each in service.published}
    for pid, claims in _strays(known, published, entries).items():
        if pid not in explained:
            found += _process(pid, claims, now)
    return sorted(found, key=lambda each: (words.ORDER.index(each.health), each.unit)), now


def unit_of(entry: Entry) -> str:
    """Return the unit that a record of this host names; empty if that cannot be one."""
    holder = entry.snapshot.holder
    return holder.unit if holder and not holder.host and trust.is_unit(holder.unit) else ""


def _now(
    known: Mapping[str, tuple[str, Mapping[str, Any]]], published: Iterable[Published], entries: Iterable[Entry]
) -> Now:  # fmt: skip
    pids = {facts.get("MainPID") or 0 for _, facts in known.values()}
    for each in published:
        pids |= {each.pid, each.board.pid if each.board else 0}
    pids |= {entry.snapshot.holder.pid for entry in entries if entry.snapshot.holder}
    alive = trust.processes(pids)
    return Now(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), boot_id(), alive)


def _strays(
    known: Mapping[str, object], published: Iterable[Published], entries: Iterable[Entry]
) -> dict[int, list[Published | Entry]]:  # fmt: skip
    """Return the processes that no known unit accounts for, each with what speaks of it."""
    found: dict[int, list[Published | Entry]] = {}
    for each in published:
        if each.pid and each.unit not in known:
            found.setdefault(each.pid, []).append(each)
    for entry in entries:
        holder = entry.snapshot.holder
        if holder and not holder.host and unit_of(entry) not in known:
            found.setdefault(holder.pid, []).append(entry)
    return found


def _process(pid: int, claims: Sequence[Published | Entry], now: Now) -> Iterator[Service]:
    """Give a process as its owner and root describe it; else the records, as of one that is dead.

    Of these nobody can say any more that they name the right unit: that counts only while nothing claims to be alive.
    """
    believed = [each for each in claims if trust.speaks_of_process(each.owner, pid, now.alive)]
    left = believed or [each for each in claims if pid not in now.alive or not isinstance(each, Published)]
    published = [each for each in left if isinstance(each, Published)]
    entries = [each for each in left if not isinstance(each, Published)]
    is_held = any(each.snapshot.held for each in entries)
    named = [each for each in left if believed or each.owner == trust.ROOT or (pid not in now.alive and not is_held)]
    names = [each.unit if isinstance(each, Published) else unit_of(each) for each in named]
    if left:
        unit = next(filter(None, names), "")
        yield process_of(pid, unit, published, entries, now, is_alive=bool(believed))
