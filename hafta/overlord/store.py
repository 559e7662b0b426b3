"""What services have stored with the overlord: open files that they get back at their next start (FDSTORE=1).

Rules, as systemd 252 has them:
1. A unit may store FileDescriptorStoreMax= descriptors. What is more is closed, and that is noted once.
2. What is stored already is not stored twice; which that is, the kernel tells for sockets and pipes.
3. A descriptor whose other end is gone is dropped, unless it came with FDPOLL=0.
4. All of a unit are dropped when it rests and does not start again.

Nothing here waits (closing.py).
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
from contextlib import suppress

from hafta.overlord.closing import STUCK, discard, stuck, what_is
from hafta.units.listen import is_fd_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.process.loop import Loop

NAME = "stored"
SHARE = 4  # all that is stored together is at most a quarter of what we may have open
EVENTS = 64  # at once
_WATCHABLE = ("socket:", "pipe:", "anon_inode:[eventfd]", "anon_inode:[pidfd]")


class Stored:
    """One descriptor, and what it is."""

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        self.what = what_is(fd)

    @property
    def key(self) -> tuple[str, int] | None:
        """What tells it from others; None if that cannot be told."""
        if not self.what.startswith(("socket:", "pipe:")):
            return None
        return self.what, fcntl.fcntl(self.fd, fcntl.F_GETFL) & os.O_ACCMODE  # a pipe's two ends have one name


class Stores:
    """The descriptors of all units, the newest of each first."""

    def __init__(self, loop: Loop, note: Callable[[str], None]) -> None:
        self._loop = loop
        self._note = note
        self._poll: select.epoll | None = None
        self._units: dict[str, list[Stored]] = {}
        self._owners: dict[int, str] = {}  # descriptor -> unit
        self._noted: set[str] = set()

    def of(self, unit: str) -> list[Stored]:
        """Return what a unit has stored, the newest first."""
        return self._units.get(unit, [])

    def has_room(self, unit: str, most: int) -> bool:
        """Tell whether a unit may store one more. Who makes us wait with closing may not."""
        return len(self.of(unit)) < most and len(self._owners) < _most_of_all() and stuck() < STUCK

    def add(self, unit: str, most: int, fds: list[int], name: str | None, *, watch: bool) -> None:
        """Take descriptors out of `fds` and store them. What cannot be stored is left there."""
        if name is not None and not is_fd_name(name):
            self._say(unit, f"takes no descriptor's name that is not ASCII, or has a colon: it is called {NAME}")
            name = None
        stored = self._units.setdefault(unit, [])
        if len(fds) > most - len(stored) or not self.has_room(unit, most):
            self._say(unit, f"keeps {most} descriptors and no more (FileDescriptorStoreMax=)")
        while fds and self.has_room(unit, most):
            new = Stored(fds[0], name or NAME)
            if new.key and any(each.key == new.key for each in stored):
                discard(fds.pop(0))
                continue
            stored.insert(0, new)
            self._owners[fds.pop(0)] = unit
            if watch and new.what.startswith(_WATCHABLE):
                self._watch(new.fd)

    def remove(self, unit: str, name: str | None) -> None:
        """Drop those of a name (FDSTOREREMOVE=1)."""
        for stored in [each for each in self.of(unit) if each.name == name]:
            self._drop(stored.fd)

    def release(self, unit: str) -> None:
        """Drop all of a unit."""
        for stored in list(self.of(unit)):
            self._drop(stored.fd)
        self._units.pop(unit, None)

    def _drop(self, fd: int) -> None:
        stored = self._units[self._owners.pop(fd)]
        stored[:] = [each for each in stored if each.fd != fd]
        if self._poll:
            with suppress(OSError):
                self._poll.unregister(fd)
        discard(fd)

    def _watch(self, fd: int) -> None:
        if self._poll is None:
            self._poll = select.epoll()
            self._loop.watch(self._poll, self._hung_up)
        with suppress(OSError):  # one that cannot be watched
            self._poll.register(fd, 0)  # errors and hang-ups are told always

    def _hung_up(self) -> None:
        for fd, _ in self._poll.poll(0, EVENTS) if self._poll else ():
            if fd in self._owners:
                self._drop(fd)

    def _say(self, unit: str, text: str) -> None:
        if unit not in self._noted:
            self._noted.add(unit)
            self._note(f"{unit}: the overlord {text}")


def _most_of_all() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE
