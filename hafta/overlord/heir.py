"""What an overlord and its keeper leave when both are killed: the next overlord ends and removes it.

A pair is dead if its roll can be locked (roll.py). Then every process that is on it, or carries the pair's id, is
killed, and the pair's directories and cgroups are removed, before any unit is started: else a unit might have two main
processes. Of the runtime directories those stay that a living overlord uses.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress

from hafta import exits
from hafta.errors import HaftaError
from hafta.overlord import paths, roll
from hafta.overlord.dirs import removal, remove_links, remove_tree
from hafta.process.cgroup import find_cgroup
from hafta.process.table import Search, end_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafta.units.folders import Folder

FOLDERS = "folders"
KILL_PATIENCE = 10.0  # seconds for what survives SIGKILL
WAIT = 2.0  # seconds for another that ends what the same pair has left
POLL = 0.02  # seconds


def write_folders(own: str, names: Sequence[str], links: Sequence[Folder]) -> None:
    """Write down the runtime directories of an overlord, and the links to them, in its own directory, for its heir.

    What was written down before is replaced at once: a kill leaves the one or the other.
    """
    words = [*names, "", *(word for link in links for word in link)]
    path = os.path.join(own, FOLDERS)
    fresh = path + roll.UNFINISHED
    with suppress(OSError):
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(b"\0".join(map(os.fsencode, words)))
        os.rename(fresh, path)


def inherit(control: str, runtime: str, own: str) -> int:
    """End and remove what dead pairs have left; return how many processes were killed.

    `own` is our own id. Raises HaftaError (status 25) if one of their processes survives SIGKILL.
    """
    killed = 0
    for identity in _others(control, own):
        with suppress(OSError):
            killed += _settle(os.path.join(control, identity), identity, runtime)
    _clear_locks(os.path.join(control, "lock"))
    return killed


def _others(control: str, own: str) -> list[str]:
    """Return the ids of the overlords that have a roll."""
    found = []
    for name in os.listdir(control):
        identity, suffix = name[: -len(roll.SUFFIX)], name[-len(roll.SUFFIX) :]
        if suffix == roll.SUFFIX and identity != own:
            found.append(identity)
        elif name.endswith(roll.UNFINISHED) and roll.is_abandoned(name):
            with suppress(OSError):
                os.unlink(os.path.join(control, name))
    return sorted(found)


def _settle(place: str, identity: str, runtime: str) -> int:
    """End and remove what a pair has left, if it is dead. Raises OSError if it is not, or is gone meanwhile."""
    fd = _lock(place + roll.SUFFIX)
    try:
        header = roll.read_header(fd)
        ended = 0
        if header and header.is_ours:
            ended = _end(fd, identity, header.started)
        names, links = _folders(place)
        used = _used(os.path.dirname(place), identity)
        remove_links(runtime, [link for link in links if link[0] not in used])
        for name in names:
            for _ in removal(runtime, name) if name not in used else ():
                pass
        paths.clear(place)
        remove_tree(place)
        if cgroup := find_cgroup(identity):
            cgroup.remove()
        os.unlink(place + roll.SUFFIX)
        return ended
    finally:
        os.close(fd)


def _lock(path: str) -> int:
    """Lock the roll of a dead pair; wait a little if its overlord is gone and another, or its keeper, is at it."""
    end = time.monotonic() + WAIT
    while True:
        try:
            return roll.open_dead(path)
        except BlockingIOError:
            if roll.is_led(path) or time.monotonic() > end:
                raise
        time.sleep(POLL)


def _end(fd: int, identity: str, since: int) -> int:
    search = Search(identity, lambda: roll.read_sessions(fd), since)
    found = set(search())
    if cgroup := find_cgroup(identity):
        found |= cgroup.members()
        cgroup.kill()
    found |= end_all(search, KILL_PATIENCE).killed
    if survivors := search():
        pids = ", ".join(map(str, survivors))
        problem = f"process {pids} of an overlord that was killed survives SIGKILL"
        hint = "see what holds it (ps -eo pid,stat,wchan,args), then try again"
        raise HaftaError(problem, hint, status=exits.IN_USE)
    return len(found)


def _folders(place: str) -> tuple[list[str], list[Folder]]:
    """Return the runtime directories that an overlord has written down, and the links to them."""
    with suppress(OSError):
        fd = os.open(os.path.join(place, FOLDERS), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            names, _, links = file.read().partition(b"\0\0")
            words = [os.fsdecode(word) for word in links.split(b"\0")]
            pairs = list(zip(words[::2], words[1::2], strict=False))
            return [os.fsdecode(name) for name in names.split(b"\0") if name], pairs
    return [], []


def _used(control: str, but: str) -> set[str]:
    """Return the runtime directories of the other overlords."""
    return {name for other in _others(control, but) for name in _folders(os.path.join(control, other))[0]}


def _clear_locks(folder: str) -> None:
    """Remove the locks that nobody holds."""
    for path in _files(folder):
        with suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.lstat(path)):
                    os.unlink(path)
            finally:
                os.close(fd)


def _files(folder: str) -> Iterator[str]:
    with suppress(OSError):
        for name in os.listdir(folder):
            yield os.path.join(folder, name)
