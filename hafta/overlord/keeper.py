"""The keeper: a second process that ends everything when the overlord is killed, and holds the locks until then.

Rules
1. The keeper is a fork of the overlord without exec, in a session of its own, deaf to every signal but SIGKILL. It
   waits at the end of a pipe whose other end only the overlord has: end of file means that the overlord is gone.
2. Then it kills every process that belongs to the overlord (processes.py), removes its directories, and only then
   lets go of the locks, by ending.
3. Main processes do not wait for it: the kernel kills them with the overlord (spawn.py). The keeper is for what those
   have started.
4. An overlord that ends by itself removes its directories, sends the keeper away with one byte, and lets go of the
   locks after that: a keeper that were still there could remove what the next overlord has made.
5. An overlord whose keeper dies makes a new one. Services outlive both only if somebody kills the keeper and, before
   the overlord has seen that, the overlord, and then only those that are not main processes.
6. While a process survives SIGKILL the keeper goes on, and the unit stays locked.

Invariant: *when the locks are free, no process of that overlord is left.*
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from hafta.overlord import prctl
from hafta.overlord.dirs import remove_empty, remove_tree
from hafta.overlord.processes import FOREVER, belonging, end_all
from hafta.overlord.spawn import deafen, quiet
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafta.overlord.locks import Lock

_DISMISSED = b"."


class Estate(Record):
    """What is left when an overlord dies: its id, its directories, its locks."""

    identity: str
    trees: tuple[str, ...]  # removed with all that is in them
    folders: tuple[str, ...]  # removed if empty, in this order
    locks: tuple[Lock, ...]

    def clear(self) -> None:
        """Remove the directories."""
        for tree in self.trees:
            remove_tree(tree)

    def release(self) -> None:
        """Let go of the locks, and remove what is empty then."""
        for lock in self.locks:
            lock.release()
        remove_empty(*self.folders)


class Keeper:
    """The overlord's side of it. `pid` is 0 when there is none."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._pipe = -1
        self.pid = 0

    def start(self) -> None:
        """Fork the keeper. Raises OSError if there can be no more processes."""
        self._close()
        reader, self._pipe = os.pipe2(os.O_CLOEXEC)
        try:
            with quiet():
                self.pid = os.fork()
                if self.pid == 0:
                    _keep(reader, self._estate)  # pragma: no cover - a fork is traced from its next call on
        finally:
            os.close(reader)

    def lost(self) -> None:
        """Note that it has died and has been reaped."""
        self.pid = 0

    def dismiss(self) -> None:
        """Send it away and wait until it is gone."""
        if self.pid:
            with suppress(BrokenPipeError):  # it has died just now
                os.write(self._pipe, _DISMISSED)
            os.waitpid(self.pid, 0)
            self.pid = 0
        self._close()

    def _close(self) -> None:
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1


def _keep(reader: int, estate: Estate) -> None:
    """Be the keeper; never returns."""
    try:
        os.setsid()
        deafen(signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        prctl.set_name("hafta-keeper")
        os.chdir("/")
        _close_all_but([reader, *(lock.fd for lock in estate.locks)])
        if not os.read(reader, 1):
            end_all(lambda: belonging(estate.identity), FOREVER)
            estate.clear()
            estate.release()
    finally:
        os._exit(0)


def _close_all_but(kept: Sequence[int]) -> None:
    """Close the rest: the overlord's output would else never end for who reads it."""
    begin = 0
    for fd in sorted(kept):
        os.closerange(begin, fd)
        begin = fd + 1
    os.closerange(begin, os.sysconf("SC_OPEN_MAX"))
