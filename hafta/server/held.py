"""--hold-pipe: the writing end of the pipe is held by somebody else, while the server is replaced.

A pipe whose last writer has gone shows its reader the end of the file. If somebody else holds the writing end as well,
a server that was killed is replaced without that: whole records come before, whole records come after, and what the
pipe has taken is read. The parent of a warm service holds it, and so does an overlord, if the unit has
FileDescriptorStoreMax=. Both are handed the descriptor before the first record is written.

It stays held while there is no reader: what the last one has left unread is there for the next one. It is given back
when the work is done, when another pipe stands at its path, and by a server that is started without --hold-pipe.
"""

from __future__ import annotations

import os

from hafta import exits, fifo
from hafta.errors import ServiceError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.runtime import Runtime

NAME = "hafta-pipe"  # of the descriptor, where it is held
TRIES, PAUSE = 40, 0.05  # seconds: how often a holder whose queue is full is asked


class HeldEnd:
    """The writing end of a server that is replaced while the reader reads on. `environ` says who holds it."""

    def __init__(self, runtime: Runtime, path: str, environ: Mapping[str, str]) -> None:
        """Take what was held for this server. Raises UsageError if nobody can hold anything."""
        from hafta.systemd import descriptors

        if not environ.get("NOTIFY_SOCKET"):
            hint = "run it with --warm, or as a service whose unit has FileDescriptorStoreMax=1"
            raise UsageError("--hold-pipe: there is nobody who could hold the pipe", hint)
        self._store = descriptors.store
        self._runtime = runtime
        self._path = path
        self._environ = environ
        self._fd = next(iter(_given(environ)), None)

    def open(self) -> int | None:
        """Return a descriptor that does not block, or None while there is no reader. Raises ServiceError."""
        if self._fd is not None and not fifo.go_on(self._fd, self._path):
            self.close(done=True)
        if self._fd is None:
            self._fd = fifo.open_writer(self._path)
            if self._fd is None:
                return None
            self._have_it_held(self._fd)
        return self._fd if fifo.has_reader(self._fd) else None

    def close(self, *, done: bool) -> None:
        """Close it; if the work is done, nobody else is to hold it."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if not done:
            os.close(fd)
            return
        fifo.give_back(fd)
        _drop(self._runtime, self._environ)

    def _have_it_held(self, fd: int) -> None:
        if not _ask(self._runtime, lambda: self._store(self._environ, NAME, fd, watch=False)):
            hint = "what is to hold the pipe does not take messages: it is busy, or gone"
            raise ServiceError(f"nobody holds {self._path}", hint, status=exits.SYSTEM)


def let_go(runtime: Runtime, environ: Mapping[str, str]) -> None:
    """Give back what was held for a server that ran with --hold-pipe: its lock would keep this one out.

    If nobody hears that it is to be dropped, the pipe is free all the same, and the next server asks again.
    """
    held = _given(environ)
    for fd in held:
        fifo.give_back(fd)
    if held and environ.get("NOTIFY_SOCKET"):
        _drop(runtime, environ)


def _given(environ: Mapping[str, str]) -> list[int]:
    from hafta.systemd import descriptors

    return [fd for name, fd in descriptors.given(environ) if name == NAME]


def _drop(runtime: Runtime, environ: Mapping[str, str]) -> None:
    from hafta.systemd import descriptors

    _ask(runtime, lambda: descriptors.drop(environ, NAME))


def _ask(runtime: Runtime, send: Callable[[], bool]) -> bool:
    """Send a message to who holds the pipe, again and again if its queue is full."""
    for _ in range(TRIES):
        try:
            if send():
                return True
        except OSError:
            return False
        runtime.sleep(PAUSE)
    return False
