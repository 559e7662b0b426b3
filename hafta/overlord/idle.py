"""Type=idle: a program waits in its child until no unit is starting any more, so that it does not write between others.

As in systemd it waits for at most PATIENCE seconds, and the unit counts as up meanwhile. All that wait have the reading
end of one pipe; the overlord closes the writing end once nothing is starting for the first time.
"""

from __future__ import annotations

import fcntl
import os
import select

from hafta.frozen import Frozen

PATIENCE = 5.0  # seconds
_HIGH = 512  # descriptors from here on are not those that services are given


class Wait(Frozen):
    """What a child waits with: both ends of the pipe, of which it closes the writing one; -1 for no wait."""

    read: int = -1
    write: int = -1

    def prepare(self) -> int:
        """Let go of the writing end, and move the other one out of the way; the child does this first."""
        if self.read < 0:
            return -1
        os.close(self.write)
        return fcntl.fcntl(self.read, fcntl.F_DUPFD_CLOEXEC, _HIGH)


NO_WAIT = Wait()


def wait(fd: int) -> None:
    """Wait until the overlord has closed its end; the child does this last."""
    if fd >= 0:
        select.select([fd], [], [], PATIENCE)


class Idle:
    """The overlord's side of it."""

    def __init__(self) -> None:
        self._pipe = NO_WAIT
        self._over = False

    def waiting(self) -> Wait:
        """Return what a child of Type=idle waits with. Raises OSError."""
        if not self._over and self._pipe is NO_WAIT:
            self._pipe = Wait(*os.pipe2(os.O_CLOEXEC))
        return self._pipe

    def settled(self, *, starting: bool) -> None:
        """Let them go on if nothing is starting."""
        if starting or self._over:
            return
        self._over = True
        if self._pipe is not NO_WAIT:
            os.close(self._pipe.read)
            os.close(self._pipe.write)
            self._pipe = NO_WAIT
