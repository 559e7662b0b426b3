"""The control socket and its clients: who may ask, how much each may ask, and how long that may take.

Rules
1. Root and the overlord's own user may ask, nobody else: the mode of the socket says so, and the kernel's word on each
   peer (SO_PEERCRED), whatever directory the socket has been moved to.
2. The overlord never waits for a client. What it cannot take now is kept, at most ROOM bytes before the next part of an
   answer is made. Each turn of the loop serves a client with at most one read and SLICE seconds of work.
3. At most MOST clients are served; one more is told so and sent away. A client that asks nothing, or does not read its
   answer, for PATIENCE seconds is sent away. One that waits for a job may wait as long as that takes.
4. A request is at most wire.MOST bytes. A client that sends more, or what is not varlink, is sent away.
5. A client that goes away changes nothing: what it has asked for goes on.
6. An error in answering, whatever it is, ends this client and is noted; it is never the overlord's end.

The socket's file is in the overlord's own directory, and is removed with it.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.control.wire import Inbox
    from hafta.process.loop import Loop

    #: Answers a request: the parts of the answer, each made when there is room for it.
    Answer = Iterator[bytes]

MOST = 32  # clients
PATIENCE = 10.0  # seconds
ROOM = 64 * 1024  # bytes of an answer that are made before the client has taken them
SLICE = 0.02  # seconds of work for a client before others have their turn
RETRY = 1.0  # seconds without new clients, when there is no descriptor left
BACKLOG = 16
_FRESH = "new"  # beside the socket, and not longer than its name
_CREDENTIALS = struct.Struct("3i")


class Peer:
    """Who is at the other end, as the kernel says."""

    def __init__(self, pid: int, uid: int) -> None:
        self.pid = pid
        self.uid = uid

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.uid}"


class Client:
    """One connection: reads a request, answers it, reads the next."""

    def __init__(self, connection: socket.socket, peer: Peer, desk: ControlSocket) -> None:
        from hafta.control.wire import Inbox  # with json, which an overlord that nobody asks does not need

        self.peer = peer
        self._socket = connection
        self._desk = desk
        self._loop = desk.loop
        self._inbox: Inbox = Inbox()
        self._out = bytearray()
        self._answer: Answer | None = None
        self._waits = False  # for a job
        self._writes = False  # what the loop watches it for
        self._loop.watch(connection, self._ready)
        self._rearm()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def wait(self) -> None:
        """Let it wait for as long as it takes; `resume` goes on."""
        self._waits = True
        self._loop.clear_timer(self._key)

    def resume(self, answer: Answer) -> None:
        """Go on with an answer for which it has waited."""
        self._waits = False
        self._answer = answer
        self._guarded(self._work)

    def close(self) -> None:
        """Send it away."""
        if self.fileno() >= 0:
            self._loop.clear_timer(self._key)
            self._loop.forget(self._socket)
            self._socket.close()
            self._desk.left(self)

    def flush(self) -> None:
        """Send what can be sent now; the overlord ends."""
        with suppress(OSError):
            self._send()

    @property
    def _key(self) -> tuple[str, str]:
        return ("client", str(self.fileno()))

    def _rearm(self) -> None:
        self._loop.set_timer(self._key, PATIENCE, self.close)

    def _ready(self) -> None:
        self._guarded(self._work if self._writes else self._read)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do a piece of work; rules 4 and 6."""
        try:
            work()
        except (ConnectionError, BrokenPipeError):
            self.close()
        except Exception as error:
            self._desk.note(f"control: sent {self.peer} away: {type(error).__name__}: {error}")
            self.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(ROOM)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        self._inbox.add(data)
        self._work()

    def _work(self) -> None:
        """Answer what has been asked, as long as the client takes it and SLICE is not over."""
        end = time.monotonic() + SLICE
        self._send()
        while not self._waits and not self._out and time.monotonic() < end:
            if not self._make_more():
                break
            self._send()
        self._watch()

    def _make_more(self) -> bool:
        """Make the next part of the answer, or begin the next one; False if there is nothing to do."""
        if self._answer is None:
            message = self._inbox.take()
            if message is None:
                return False
            self._answer = self._desk.answer(self, message)
        while len(self._out) < ROOM:
            part = next(self._answer, None)
            if part is None:
                self._answer = None
                break
            self._out += part
        return True

    def _send(self) -> None:
        try:
            while self._out:
                sent = self._socket.send(self._out, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                del self._out[:sent]
                self._rearm()
        except BlockingIOError:
            pass

    def _watch(self) -> None:
        """Wait for what comes next: room for the rest of an answer, or more to read."""
        if self.fileno() < 0:
            return
        writes = bool(self._out) or (self._answer is not None and not self._waits)
        if writes != self._writes:
            self._writes = writes
            self._loop.forget(self._socket)
            self._loop.watch(self._socket, self._ready, write=writes)


class ControlSocket:
    """Listens at a path. `answer` makes the answer to a client's message; `note` says what a person should know."""

    def __init__(
        self, path: str, loop: Loop, answer: Callable[[Client, bytes], Answer], note: Callable[[str], None]
    ) -> None:
        self.path = path
        self.loop = loop
        self.answer = answer
        self.note = note
        self.inode = 0
        self._clients: set[Client] = set()
        self._socket = self._listen()

    def _listen(self) -> socket.socket:
        """Listen. Raises OSError. The path is there only once it is listened at: nobody who finds it is refused."""
        fresh = os.path.join(os.path.dirname(self.path), _FRESH)
        with suppress(FileNotFoundError):
            os.unlink(fresh)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        before = os.umask(0o177)  # nobody else can come in between bind(2) and chmod(2)
        try:
            listener.bind(fresh)
            listener.listen(BACKLOG)
            os.rename(fresh, self.path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        self.inode = os.lstat(self.path).st_ino
        self.loop.watch(listener, self._accept)
        return listener

    @property
    def is_whole(self) -> bool:
        """Whether its file is where it should be."""
        with suppress(OSError):
            return os.lstat(self.path).st_ino == self.inode
        return False

    def renew(self) -> None:
        """Listen again if the path is gone. Raises OSError."""
        if not os.path.lexists(self.path):
            self._unwatch()
            self._socket.close()
            self._socket = self._listen()

    def _unwatch(self) -> None:
        self.loop.clear_timer(("control", ""))
        with suppress(KeyError):  # it takes no clients just now
            self.loop.forget(self._socket)

    def left(self, client: Client) -> None:
        """Note that a client is gone."""
        self._clients.discard(client)

    def close(self) -> None:
        """Send all away, after what they can take at once."""
        for client in list(self._clients):
            client.flush()
            client.close()
        self._unwatch()
        self._socket.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            self._rest(error)
            return
        try:
            self._admit(connection)
        except Exception as error:
            connection.close()
            self._rest(error)

    def _rest(self, error: Exception) -> None:
        """Take no clients for a while: without descriptors or memory the loop would turn without a pause."""
        self.note(f"control: no clients for {RETRY:g} s: {error}")
        self.loop.forget(self._socket)
        self.loop.set_timer(("control", ""), RETRY, lambda: self.loop.watch(self._socket, self._accept))

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        pid, uid, _ = _CREDENTIALS.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        peer = Peer(pid, uid)
        if why := self._why_not(peer):
            _refuse(connection, why)
        else:
            self._clients.add(Client(connection, peer, self))

    def _why_not(self, peer: Peer) -> str:
        from hafta.control import wire

        if peer.uid not in {0, os.geteuid()}:
            return wire.DENIED
        return wire.BUSY if len(self._clients) >= MOST else ""


def _refuse(connection: socket.socket, why: str) -> None:
    from hafta.control import wire

    with suppress(OSError):
        connection.send(wire.error(wire.Fault(why)), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    connection.close()
