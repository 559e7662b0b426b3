"""What workers have stored (FDSTORE=1): descriptors that outlive them, so that the next worker goes on with them.

1. The shelf begins with what the overlord has passed to the parent: the unit's sockets, and what was stored before.
2. A worker has what is on the shelf when it is forked. A standby that was forked before a change is replaced.
3. Everything is passed on to the overlord, which keeps it for the next parent (FileDescriptorStoreMax=). An overlord
   that does not take it at once is asked again.
4. What is dropped is closed. At most MOST are kept; what comes after that is closed, with a line that says so.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from hafta.systemd import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.service.service import Service
    from hafta.service.warm.relay import Said

MOST = 253
RETRY = 0.1  # seconds
NEVER = float("inf")


class Shelf:
    """Names and descriptors, in the order in which they came. `inherited` is what a parent before a reload had."""

    def __init__(self, service: Service, environ: Mapping[str, str], inherited: str | None) -> None:
        self._service = service
        self.kept = descriptors.given(environ) if inherited is None else _read(inherited)
        self._owed: list[Said] = []  # to the overlord
        self.due = NEVER  # when the overlord is to be asked again

    def describe(self) -> str:
        """Return what `inherited` is for the next parent."""
        return ":".join(f"{fd} {name}" for name, fd in self.kept)

    @property
    def fds(self) -> list[int]:
        """All descriptors."""
        return [fd for _, fd in self.kept]

    def hear(self, said: Said, fds: list[int]) -> bool:
        """Take what a worker stores or drops out of a datagram; tell whether anything has changed."""
        if said.drop:
            for fd in [fd for name, fd in self.kept if name == said.drop]:
                os.close(fd)
            self.kept = [(name, fd) for name, fd in self.kept if name != said.drop]
        elif said.store and fds:
            room = MOST - len(self.kept)
            taken = fds[:room]
            del fds[:room]
            self.kept += [(said.store, fd) for fd in taken]
            if fds:
                self._service.say(f"{len(fds)} descriptors {said.store!r} were closed: {MOST} are stored already")
        else:
            return False
        self._owed.append(said)
        self.tick(time.monotonic())
        return True

    def tick(self, now: float) -> None:
        """Pass on what the overlord is to keep or to drop, in order."""
        self.due = NEVER
        environ = {"NOTIFY_SOCKET": self._service.notifier.address}
        while self._owed and environ["NOTIFY_SOCKET"]:
            with suppress(OSError):  # there is no overlord any more: then nobody starts another parent
                if not self._pass_on(environ, self._owed[0]):
                    self.due = now + RETRY
                    return
            del self._owed[0]

    def _pass_on(self, environ: Mapping[str, str], said: Said) -> bool:
        if said.drop:
            return descriptors.drop(environ, said.drop)
        fds = [fd for name, fd in self.kept if name == said.store]
        return not fds or descriptors.store(environ, said.store, *fds, watch=said.watch)


def _read(text: str) -> list[tuple[str, int]]:
    found = []
    for item in filter(None, text.split(":")):
        fd, _, name = item.partition(" ")
        with suppress(OSError, ValueError):  # nobody but the parent before the reload has written it
            os.set_inheritable(int(fd), False)
            found.append((name, int(fd)))
    return found
