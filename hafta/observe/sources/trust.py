"""Whom to believe about a unit or a process.

1. A file speaks of a unit only if it belongs to root or to the unit's own user: while the unit has a main process, to
   the owner of that; else to its User=, or, where systemd makes one up for each run (DynamicUser=), to the owner of the
   unit's state directory, which only the manager makes.
2. A file speaks of a process only if it belongs to root or to the owner of the process.
3. What cannot be found out is not believed.
"""

from __future__ import annotations

import os
import pwd

from hafta.frozen import Frozen
from hafta.observe.sources.systemd import full_name
from hafta.units.roots import roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ROOT = 0
LONGEST = 255  # characters of a unit's name
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\\@-")
PRIVATE = "/var/lib/private"  # where systemd has the state of dynamic users; only root looks in


class Process(Frozen):
    """One that is alive."""

    parent: int
    uid: int  # the effective one


def is_unit(name: str) -> bool:
    """Tell whether this is the whole name of a unit: no pattern, no path, no option."""
    is_name = 0 < len(name) <= LONGEST and set(name) <= LETTERS and not name.startswith("-")
    return is_name and full_name(name) == name


def processes(pids: Iterable[int]) -> dict[int, Process]:
    """Return those of them that are alive, and their ancestors."""
    found: dict[int, Process] = {}
    for pid in pids:
        while pid > 0 and pid not in found and (process := _process(pid)):
            found[pid] = process
            pid = process.parent  # noqa: PLW2901 - up to the first one
    return found


def speaks_of_process(owner: int, pid: int, alive: Mapping[int, Process]) -> bool:
    """Tell whether a file of this owner is believed about a process."""
    return pid in alive and owner in {ROOT, alive[pid].uid}


def speakers(
    facts: Mapping[str, Any], alive: Mapping[int, Process], nobody: int, environ: Mapping[str, str]
) -> set[int]:
    """Return whose files are believed about a unit. `nobody`: whom a unit without User= runs as."""
    if main := facts.get("MainPID"):
        return {ROOT, alive[main].uid} if main in alive else {ROOT}
    user = str(facts.get("User") or "")
    if facts.get("DynamicUser"):
        return {ROOT, *_owners_of_state(facts, environ)}
    return {ROOT, *([nobody] if not user else _uids(user))}


def _owners_of_state(facts: Mapping[str, Any], environ: Mapping[str, str]) -> Iterable[int]:
    own = roots(environ, environ.get("HAFTA_RUNTIME_DIR", ""), environ.get("HAFTA_STATE_DIR", "")).state
    for name in facts.get("StateDirectory") or ():
        for parent in (PRIVATE, own):
            try:
                yield os.lstat(os.path.join(parent, name)).st_uid
            except OSError:
                continue


def _uids(user: str) -> Iterable[int]:
    if user.isascii() and user.isdigit() and len(user) < 11:
        return [int(user)]
    try:
        return [pwd.getpwnam(user).pw_uid]
    except (KeyError, ValueError):
        return []


def _process(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = dict(line.partition(b":")[::2] for line in file.read().split(b"\n"))
        return Process(int(lines[b"PPid"]), int(lines[b"Uid"].split()[1]))
    except (OSError, KeyError, IndexError, ValueError):
        return None
