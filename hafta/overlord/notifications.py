"""The overlord's side of sd_notify(3): one datagram socket, who sent what, and what that means to its unit."""

from __future__ import annotations

import array
import os
import socket
import struct

from hafta import exits
from hafta.errors import HaftaError
from hafta.frozen import Frozen
from hafta.overlord.closing import discard
from hafta.overlord.table import Event, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafta.overlord.runner import Runner
    from hafta.overlord.store import Stores

    Heard = tuple["Message", list[int]]

SIZE = 65536  # bytes of a datagram that are read
DESCRIPTORS = 253  # SCM_MAX_FD: the most that the kernel passes in one datagram
AT_ONCE = 64  # datagrams that are read before others have their turn
QUEUED = 1024  # datagrams: more than wait in a socket at a time (net.unix.max_dgram_qlen, 512 on a machine of systemd)
PATH_MAX = 107  # bytes of the path of a Unix socket
_TYPES = ("notify", "notify-reload")
_LONGEST = 18  # digits of a time
_CREDENTIALS = struct.Struct("3i")
_SENDER = socket.CMSG_SPACE(_CREDENTIALS.size)
_PASSED = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)


class Message(Frozen):
    """A datagram: who sent it, as the kernel says, and its assignments in order."""

    pid: int
    fields: tuple[tuple[str, str], ...]
    uid: int = 0

    def get(self, name: str) -> str | None:
        """Return the last value of a field."""
        return dict(self.fields).get(name)


class NotifySocket:
    """Receives notifications at a path. Raises HaftaError if the path is too long for a socket."""

    def __init__(self, path: str, mode: int) -> None:
        if len(os.fsencode(path)) > PATH_MAX:
            hint = "choose a shorter one with --runtime-dir"
            raise HaftaError(f"{path} is longer than the {PATH_MAX} bytes of a socket's path", hint, status=exits.USAGE)
        self.path = path
        self.mode = mode
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(path)
        os.chmod(path, mode)
        self.inode = os.lstat(path).st_ino

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def receive(self, most: int = AT_ONCE, may_store: Callable[[int], bool] = lambda _: False) -> Iterator[Heard]:
        """Give what has come, at most so much, each with the descriptors that were passed.

        Descriptors are taken only if they are to be stored and the sender may do that: to close one may wait, for a
        file system of the sender's. The kernel drops the others, and that is what BARRIER= waits for.
        """
        for _ in range(most):
            try:
                data, ancillary, flags, _ = self._socket.recvmsg(SIZE, _SENDER, socket.MSG_PEEK)
                fields, (pid, uid, _) = _fields(data), _read(ancillary)
                has_some = flags & socket.MSG_CTRUNC and ("FDSTORE", "1") in fields
                space = _SENDER + _PASSED if has_some and may_store(pid) else _SENDER
                ancillary = self._socket.recvmsg(0, space, socket.MSG_CMSG_CLOEXEC)[1]
            except BlockingIOError:
                return
            yield Message(pid, fields, uid), _read(ancillary)[2]

    def close(self) -> None:
        """Close it; the path is removed with its directory."""
        self._socket.close()


def _read(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int, list[int]]:
    """Return the sender's pid and user, pid 0 if the kernel could not tell, and what was passed."""
    pid, uid, fds = 0, -1, array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
    return pid, uid, list(fds)


def _fields(data: bytes) -> tuple[tuple[str, str], ...]:
    lines = data.decode("utf-8", "replace").split("\n")
    return tuple((name, value) for name, equals, value in (line.partition("=") for line in lines) if equals)


class Hearing:
    """Turns messages into events and facts of a unit."""

    def __init__(
        self,
        post: Callable[[Runner, Event], None],
        adopt: Callable[[Runner, int], None],
        note: Callable[[str], None],
        errno: Callable[[str, int], None],
        stores: Stores,
    ) -> None:
        self._stores = stores
        self._post = post
        self._adopt = adopt
        self._note = note
        self._note_errno = errno
        self._noted: set[tuple[str, str]] = set()
        self._meanings: dict[str, Callable[[Runner, str], None]] = {
            "MAINPID": self._mainpid,
            "READY": self._ready,
            "STOPPING": lambda runner, value: self._post(runner, Event.LEAVING) if value == "1" else None,
            "STATUS": lambda runner, value: setattr(runner, "status", value),
            "ERRNO": self._errno,
            "WATCHDOG": self._watchdog,
            "WATCHDOG_USEC": lambda runner, value: _with_time(value, runner.set_watchdog),
            "EXTEND_TIMEOUT_USEC": lambda runner, value: _with_time(value, runner.extend),
        }

    def hear(self, notifications: NotifySocket, most: int, speaker: Callable[[int], Runner | None]) -> None:
        """Take what has come, at most `most` messages; `speaker` finds the unit of a process."""

        def may_store(pid: int) -> bool:
            runner = speaker(pid)
            return runner is not None and self._stores.has_room(runner.name, runner.unit.store_max)

        for message, fds in notifications.receive(most, may_store):
            if runner := speaker(message.pid):
                self.take(message, runner, fds)
            for fd in fds:  # what nobody has kept
                discard(fd)

    def take(self, message: Message, runner: Runner, fds: list[int]) -> None:
        """Do what a unit's message asks for, if NotifyAccess= lets its sender. What is kept of `fds` is taken out."""
        if not _may_speak(runner, message.pid):
            if all(name == "BARRIER" for name, _ in message.fields):
                return  # systemd-notify waits until what it said before has been read, and says nothing by it
            self._once(runner, "access", f"takes no notification from process {message.pid} (NotifyAccess=)")
            return
        # A service that root starts may become another user by itself: then its processes are known, not its user.
        if runner.uid and message.uid not in {0, runner.uid}:
            why = f"process {message.pid}, which is of user {message.uid}"
            self._once(runner, "user", f"takes no notification from {why}")
            return
        for name, value in message.fields:
            if name in self._meanings:
                self._meanings[name](runner, value)
            elif (name, value) == ("RELOADING", "1"):
                self._reloading(runner, message.get("MONOTONIC_USEC") or "")
        self._store(message, runner, fds)

    def _store(self, message: Message, runner: Runner, fds: list[int]) -> None:
        """Keep descriptors for the unit, or drop some (FDSTORE=1, FDSTOREREMOVE=1)."""
        name, most = message.get("FDNAME"), runner.unit.store_max
        if message.get("FDSTOREREMOVE") == "1":
            self._stores.remove(runner.name, name)
        elif message.get("FDSTORE") == "1" and not most:
            self._once(runner, "FDSTORE", "keeps no file descriptors (FDSTORE=1): FileDescriptorStoreMax= is not set")
        elif message.get("FDSTORE") == "1":
            self._stores.add(runner.name, most, fds, name, watch=message.get("FDPOLL") != "0")

    def _once(self, runner: Runner, subject: str, text: str) -> None:
        if (runner.name, subject) not in self._noted:
            self._noted.add((runner.name, subject))
            self._note(f"{runner.name}: the overlord {text}")

    def _ready(self, runner: Runner, value: str) -> None:
        if value == "1" and runner.unit.policy.type in _TYPES:
            self._post(runner, Event.READY)

    def _reloading(self, runner: Runner, when: str) -> None:
        """Take RELOADING=1. The answer to a reload signal says when: it may be older than the signal."""
        if runner.unit.policy.type not in _TYPES:
            return
        fresh = when.isascii() and when.isdigit() and len(when) < _LONGEST and int(when) >= runner.signalled * 1_000_000
        if runner.state is not State.RELOAD_SIGNAL or fresh:
            self._post(runner, Event.RELOADING)

    def _watchdog(self, runner: Runner, value: str) -> None:
        if value == "trigger":
            self._post(runner, Event.HUNG)
        elif value == "1":
            runner.feed()

    def _errno(self, runner: Runner, value: str) -> None:
        if value.isascii() and value.isdigit() and len(value) < 6:
            runner.trouble = os.strerror(int(value))
            self._note_errno(runner.name, int(value))

    def _mainpid(self, runner: Runner, value: str) -> None:
        if value.isascii() and value.isdigit() and len(value) < 10 and int(value) != runner.main:
            self._adopt(runner, int(value))


def _may_speak(runner: Runner, pid: int) -> bool:
    """Tell whether NotifyAccess= lets a process of the unit say something."""
    access = runner.unit.notify_access
    return access == "all" or (access != "none" and pid == runner.main) or (access == "exec" and pid == runner.control)


def _with_time(value: str, use: Callable[[float], None]) -> None:
    if value.isascii() and value.isdigit() and len(value) < _LONGEST:
        use(int(value) / 1_000_000)
