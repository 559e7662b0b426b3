"""The roll: which sessions an overlord has begun, in a file that outlives it and its keeper.

R/hafta-overlord/ID.roll holds a header of HEADER bytes (boot, pid namespace, the overlord's pid and start), then slots
of SLOT bytes: number and start of a session, or blanks. A main process leads a session, and writes itself into its
slot before it becomes its program (child.py), so it is on the roll before it can start another process. Overlord and
keeper hold the file locked by flock(2), by a descriptor that both have. So a roll that can be locked is that of a pair
of which both were killed: the next overlord reads it and ends what they have left (heir.py).

A slot is written by one pwrite(2) within a page, which a kill does not cut in two. A slot that cannot be written (a
full disk) is a gap in what the keeper knows, not a reason to start nothing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from hafta.boot import boot_id
from hafta.frozen import Frozen
from hafta.process.cgroup import join
from hafta.process.fork import clone
from hafta.process.stat import own_start, started
from hafta.process.table import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SUFFIX = ".roll"
UNFINISHED = ".new"
HEADER = 128  # bytes
SLOT = 32  # bytes
ROOM = 4096  # slots at most that are read: more sessions than that are not remembered
_BLANK = b" " * (SLOT - 1) + b"\n"


class Roll:
    """The sessions of a living overlord: of another process, with a descriptor of its file.

    Raises OSError where the file cannot be made.
    """

    def __init__(self, path: str, fd: int = -1) -> None:
        self.path = path
        self._slots: dict[int, int] = {}  # number of a session -> its slot
        self._free: list[int] = []
        self._used = 0
        self.fd = _make(path) if fd < 0 else fd

    def reserve(self) -> int:
        """Return a free slot, for a child that is about to be forked."""
        if self._free:
            return self._free.pop()
        self._used += 1
        return self._used - 1

    def give_back(self, slot: int) -> None:
        """Take a slot that was not used."""
        self._free.append(slot)

    def sign(self, slot: int) -> None:
        """Write the session of the calling process into its slot: the child does this."""
        with suppress(OSError):
            os.pwrite(self.fd, b"%-31s\n" % b" ".join(own_start()), HEADER + slot * SLOT)

    def signature(self, slot: int) -> int:
        """Return the number of the session that is written into a slot; 0 if none is."""
        words = os.pread(self.fd, SLOT, HEADER + slot * SLOT).split()
        return int(words[0]) if words else 0

    def signed(self, slot: int, pid: int) -> None:
        """Remember whose slot it is: the parent does this."""
        self.strike(pid)  # an earlier session of this number, if no scan has seen its end
        self._slots[pid] = slot

    def knows(self, number: int) -> bool:
        """Tell whether a session is on it that is ours or was added, signed or not yet."""
        return number in self._slots

    def blank(self, slot: int) -> None:
        """Take back what is written into a slot."""
        with suppress(OSError):
            os.pwrite(self.fd, _BLANK, HEADER + slot * SLOT)

    def add(self, session: Session) -> None:
        """Write down a session that somebody else has begun."""
        if session.number not in self._slots:
            slot = self._slots[session.number] = self.reserve()
            with suppress(OSError):
                os.pwrite(self.fd, _entry(session.number, session.started), HEADER + slot * SLOT)

    def strike(self, number: int) -> None:
        """Forget a session in which nobody is left: its number may come again."""
        slot = self._slots.pop(number, -1)
        if slot >= 0:
            self.blank(slot)
            self._free.append(slot)

    def sessions(self) -> list[Session]:
        """Return what is on it."""
        return read_sessions(self.fd)

    def restore(self) -> None:
        """Make the file once more, with what is on it, if it is gone. Raises OSError."""
        with suppress(OSError):
            if os.path.samestat(os.fstat(self.fd), os.lstat(self.path)):
                return
        fd = _make(self.path)
        os.pwrite(fd, os.pread(self.fd, ROOM * SLOT, HEADER), HEADER)
        os.close(self.fd)
        self.fd = fd

    def release(self) -> None:
        """Remove the file and let go of it."""
        with suppress(OSError):
            os.unlink(self.path)
        os.close(self.fd)


class Berth:
    """The place that is kept for a main process: a slot of the roll and a cgroup, which the child takes itself."""

    def __init__(self, roll: Roll, cgroup: int, *, moves: bool = False, slot: int = -1) -> None:
        self.roll = roll
        self.moves = moves  # the child moves to its cgroup: it would be killed if it were forked into it
        self.slot = roll.reserve() if slot < 0 else slot
        self.cgroup = cgroup  # a descriptor of its directory; -1 if there is none
        self._inside = False

    def fork(self) -> int:
        """Fork, into the cgroup where the kernel can do that. Raises OSError."""
        pid = clone(self.cgroup) if self.cgroup >= 0 and not self.moves else -1
        self._inside = pid >= 0
        return pid if self._inside else os.fork()

    def fork_sibling(self) -> int:
        """Fork a child of our parent's, into the cgroup; -1 if that failed."""
        self._inside = self.cgroup >= 0 and not self.moves
        return clone(self.cgroup if self._inside else -1, sibling=True)

    def take(self) -> None:
        """Put the calling process on the roll and into its cgroup: the child does this, before its program begins."""
        self.roll.sign(self.slot)
        if self.cgroup >= 0 and not self._inside:
            with suppress(OSError):  # the table of processes is still there
                join(self.cgroup)

    def taken(self, pid: int) -> None:
        """Note in the parent who has it; 0 for nobody."""
        if pid:
            self.roll.signed(self.slot, pid)
        else:
            self.roll.give_back(self.slot)
        if self.cgroup >= 0:
            os.close(self.cgroup)


class Header(Frozen):
    """Whose roll it is."""

    boot: str
    namespace: str
    pid: int
    started: int

    @property
    def is_ours(self) -> bool:
        """Whether its numbers of processes mean something to us: the same boot, the same namespace of processes."""
        return (self.boot, self.namespace) == ((boot_id() or "-"), _namespace())


def _make(path: str) -> int:
    """Make the file, locked before anybody can find it by its name."""
    pid = os.getpid()
    fresh = f"{path}.{pid}.{started(pid)}{UNFINISHED}"
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        words = f"1 {(boot_id() or '-')} {_namespace()} {pid} {started(pid)}".encode()
        os.pwrite(fd, words.ljust(HEADER - 1) + b"\n", 0)
        os.rename(fresh, path)
    except BaseException:
        os.close(fd)
        with suppress(OSError):
            os.unlink(fresh)
        raise
    return fd


def _entry(number: int, start: int) -> bytes:
    return f"{number} {start}".encode().ljust(SLOT - 1)[: SLOT - 1] + b"\n"


def _namespace() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid").replace(" ", "")
    return "-"


def open_dead(path: str) -> int:
    """Lock the roll of a dead pair and return its descriptor. Raises OSError if it is not there, or not dead."""
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd


def is_abandoned(path: str) -> bool:
    """Tell whether what was to become a roll was left in the making."""
    *_, pid, start, _ = ("", "", *path.split("."))
    return _are_numbers((pid, start)) and started(int(pid)) != start


def is_led(path: str) -> bool:
    """Tell whether the overlord that made a roll is alive."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        header = read_header(fd)
    finally:
        os.close(fd)
    return header is not None and (not header.is_ours or started(header.pid) == str(header.started))


def read_header(fd: int) -> Header | None:
    """Return whose roll it is; None if that cannot be read."""
    words = os.pread(fd, HEADER, 0).decode("ascii", "replace").split()
    if len(words) != 5 or words[0] != "1" or not _are_numbers(words[3:]):
        return None
    return Header(words[1], words[2], int(words[3]), int(words[4]))


def read_sessions(fd: int) -> list[Session]:
    """Return the sessions of a roll; what is not an entry is left out."""
    data = os.pread(fd, ROOM * SLOT, HEADER).decode("ascii", "replace")
    rows = (data[at : at + SLOT].split() for at in range(0, len(data), SLOT))
    return [Session(int(row[0]), int(row[1])) for row in rows if len(row) == 2 and _are_numbers(row)]


def _are_numbers(words: Iterable[str]) -> bool:
    return all(word.isascii() and word.isdigit() and len(word) < 19 for word in words)
