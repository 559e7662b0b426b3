"""The holder: a second process that knows how all is undone, and does it when asked to, or when the drill has died.

The invariant: *what a drill changed is undone when the drill ends, however it ends.* docs/drill.md says when it does
not hold. The two talk over a pair of sockets that keep messages apart:

    the drill: an undo (JSON)      the holder: "ok", and only then the drill makes the change
    the drill: "undo"              the holder: what could not be undone (a list, JSON)
    the drill's end of file        the holder undoes all, says so on stderr, and ends

The holder has a copy of the drill's lock: a unit is free again only when all is undone.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress

from hafta import exits
from hafta.drill.undo import decode, encode, undo_all
from hafta.errors import HaftaError
from hafta.process.fork import ignore, quiet
from hafta.process.prctl import set_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Self

    from hafta.drill.undo import Undo

MOST = 1 << 16  # bytes of a message
UNDO, OK = b"undo", b"ok"
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)


class Lost(HaftaError):
    """The holder has died: the drill has undone all itself."""

    status = exits.FAILED


class Holder:
    """The drill's side. As a context manager it undoes all at the end; `problems` has what could not be."""

    def __init__(self, unit: str, manager: str) -> None:
        import socket

        self._lock = lock(unit, manager)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._undos: list[Undo] = []
        self.problems: list[str] = []
        with quiet():
            self.pid = os.fork()
            if self.pid == 0:
                ours.close()
                _hold(theirs, unit)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        try:
            self.release()
        finally:
            self._socket.close()
            os.waitpid(self.pid, 0)
            self._lock.close()

    def hold(self, undo: Undo) -> None:
        """Have it know how a change is undone, before that is made. Raises Lost."""
        self._undos.append(undo)
        if self._ask(encode(undo)) != OK:
            self._lose()

    def fileno(self) -> int:
        """Return the socket. The holder takes the drill for alive while any process has it."""
        return self._socket.fileno()

    def check(self) -> None:
        """See whether it lives. Raises Lost."""
        import select

        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if poll.poll(0):  # it says nothing that it was not asked: this is its end
            self._lose()

    def release(self) -> None:
        """Have all undone. Raises Lost."""
        if not self._undos:
            return
        answer = self._ask(UNDO)
        if not answer:
            self._lose()
        self._undos.clear()
        self.problems += json.loads(answer)

    def _ask(self, message: bytes) -> bytes:
        try:
            self._socket.send(message)
            return self._socket.recv(MOST)
        except OSError:
            return b""

    def _lose(self) -> None:
        problems = undo_all(self._undos)
        self.problems += problems
        hint = "see what is to be done by hand" if problems else "all was undone; run the drill again"
        raise Lost("the process that undoes what the drill changes has died", hint)


def lock(unit: str, manager: str) -> socket.socket:
    """Return what only one drill of a unit can have, and nobody has when it and its holder have ended."""
    import socket
    from hashlib import sha256

    name = sha256(f"{os.geteuid()} {manager} {unit}".encode(errors="surrogateescape")).hexdigest()
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        one.bind(f"\0hafta-drill/{name}")
    except OSError as error:
        one.close()
        hint = "wait until it has ended"
        raise HaftaError(f"another drill of {unit} runs", hint, status=exits.USAGE) from error
    return one


def _hold(theirs: socket.socket, unit: str) -> None:
    """Be the holder; never returns."""
    try:
        os.setsid()
        for signum in IGNORED:
            ignore(signum)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        set_name("hafta-undo")
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        _serve(theirs, unit)
    finally:
        os._exit(0)


def _serve(theirs: socket.socket, unit: str) -> None:
    undos: list[Undo] = []
    unheard: list[str] = []
    is_early = False
    with suppress(OSError, ValueError):  # a drill that dies in the middle of a talk is a reset, or a broken pipe
        while message := theirs.recv(MOST):
            if message == UNDO:
                is_early, unheard = True, undo_all(undos)
                theirs.send(json.dumps(unheard).encode())
                is_early, unheard = False, []
            else:
                undos.append(decode(message))
                theirs.send(OK)
    if undos or is_early:
        problems = unheard + undo_all(undos)
        said = "; ".join(problems) or "all that it had changed is undone"
        os.write(2, f"hafta: the drill of {unit} ended early: {said}\n".encode(errors="backslashreplace"))
