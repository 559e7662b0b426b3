"""How each change is undone: records that can be sent to the holder as text, and tried again without harm.

The rules:

1. An undo finds out by itself whether there is anything to undo: twice is as good as once.
2. A process is named by its id and its start, and is signalled by pidfd: another one with that id is left alone.
3. What is not there any more needs no undo.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import time
from contextlib import suppress

from hafta.drill.managers import Systemd, manager_of
from hafta.drill.subject import seconds
from hafta.frozen import Frozen
from hafta.process.stat import read_process
from hafta.process.table import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.drill.subject import Subject

POLL = 0.1  # seconds between two looks
LEAVING = 30.0  # seconds in which a process that was told to end may end
SHORTAGE = 30.0  # seconds in which an undo is tried again, while the machine has too little of something
SHORT = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN))
AT_REST = 3  # looks in a row that find a unit at rest: then nobody starts it again


def open_process(pid: int, started: int) -> int:
    """Return a pidfd of the process that began then; -1: it is gone. Raises OSError if that cannot be found out."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return -1
    try:
        if _is(pid, started, fd):
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return -1


def _is(pid: int, started: int, fd: int) -> bool:
    process = read_process(pid)
    if process is not None:
        return not process.is_dead and process.started == started
    try:
        signal.pidfd_send_signal(fd, 0)
    except ProcessLookupError:
        return False
    raise OSError(errno.EMFILE, f"/proc/{pid}/stat cannot be read")  # there are no descriptors: it is not gone


def signal_process(pid: int, started: int, signum: int) -> bool:
    """Send a signal to the process that began then; False: it is gone. Raises OSError."""
    fd = open_process(pid, started)
    if fd < 0:
        return False
    try:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(fd, signum)
            return True
        return False
    finally:
        os.close(fd)


class Undo(Frozen):
    """One thing to be undone."""

    def undo(self) -> None:
        """Do it. Raises HaftaError or OSError."""
        raise NotImplementedError

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        raise NotImplementedError


class Continue(Undo):
    """A process that was stopped."""

    pid: int
    started: int

    def undo(self) -> None:
        """Let it go on."""
        signal_process(self.pid, self.started, signal.SIGCONT)

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        return f"kill -CONT {self.pid}"


class Leaving(Undo):
    """A process that was told to end: before it has ended, its unit only seems to be up."""

    pid: int
    started: int

    def undo(self) -> None:
        """Wait until it has ended, or does not care."""
        end = time.monotonic() + LEAVING
        while (process := read_process(self.pid)) is not None and time.monotonic() < end:
            if process.is_dead or process.started != self.started:
                return
            time.sleep(POLL)

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        return f"see whether process {self.pid} ends"


class Start(Undo):
    """A unit that was up."""

    manager: str
    unit: str

    def undo(self) -> None:
        """Wait until it is up again; start it if nobody else does, or not in time."""
        manager, end, rests = manager_of(self.manager), 0.0, 0
        while (subject := manager.find(self.unit)) is not None:
            end = end or time.monotonic() + subject.patience
            process = read_process(subject.pid) if subject.is_up else None
            if process is not None and not process.is_dead:
                return
            rests = rests + 1 if subject.is_at_rest else 0
            if rests >= AT_REST or time.monotonic() > end:
                manager.start(self.unit)
                return
            time.sleep(POLL)

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        if self.manager.startswith("/"):
            return f"hafta ctl start {self.unit}"
        return f"systemctl {'--user ' if self.manager == 'user' else ''}start {self.unit}"


class Descriptors(Undo):
    """A process that may not open a descriptor, and what it has forked since: the limit that it had before."""

    pid: int
    started: int
    low: int
    soft: int

    def undo(self) -> None:
        """Give it back where it is still the low one."""
        for pid in self._processes():
            with suppress(ProcessLookupError):
                soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
                if soft == self.low:
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, (self.soft, hard))

    def _processes(self) -> Iterator[int]:
        fd = open_process(self.pid, self.started)
        if fd >= 0:
            os.close(fd)
            yield self.pid
            yield from descendants(self.pid)

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        return f"prlimit --pid {self.pid} --nofile={self.soft}:"


class Quota(Undo):
    """A unit that systemd lets have little of a processor: the quota and the drop-in that there were before."""

    manager: str
    unit: str
    value: str  # CPUQuota=; empty: none
    path: str
    before: str | None  # what the drop-in held; None: there was none

    @classmethod
    def of(cls, manager: Systemd, subject: Subject) -> Quota:
        """Return it for a unit as it is now."""
        place = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/systemd/user" if manager.of_user else "/run/systemd/system"
        path = f"{place}.control/{subject.unit}.d/50-CPUQuota.conf"
        before = None
        with suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
            before = file.read()
        share = seconds(subject.quota)
        value = "" if share in {0.0, float("inf")} else f"{share * 100:g}%"
        return cls(manager.text, subject.unit, value, path, before)

    def undo(self) -> None:
        """Have the quota of before, also in the control group of what runs; then leave no trace."""
        if not os.path.exists(self.path):
            return
        manager = manager_of(self.manager)
        assert isinstance(manager, Systemd)
        manager.ask("set-property", "--runtime", "--", self.unit, f"CPUQuota={self.value}")
        if self.before is None:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            with suppress(OSError):  # others have drop-ins there
                os.rmdir(os.path.dirname(self.path))
        manager.ask("daemon-reload")

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        return f"systemctl set-property --runtime {self.unit} CPUQuota={self.value}"


class Ended(Undo):
    """A drill that the log says has begun."""

    manager: str
    unit: str
    drill: str

    def undo(self) -> None:
        """Note its end."""
        from hafta.journal.drill_events import DrillEnded

        manager_of(self.manager).note(DrillEnded(self.unit, self.drill))

    @property
    def by_hand(self) -> str:
        """How a person does it."""
        return "nothing: the log says until when it may have lasted"


KINDS: dict[str, type[Undo]] = {kind.__name__: kind for kind in (Continue, Leaving, Start, Descriptors, Quota, Ended)}


def encode(undo: Undo) -> bytes:
    """Return it as text."""
    return json.dumps([type(undo).__name__, list(undo.values())]).encode()


def decode(data: bytes) -> Undo:
    """Return what a text stands for."""
    kind, values = json.loads(data)
    return KINDS[kind](*values)


def undo_all(undos: list[Undo]) -> list[str]:
    """Undo all, the newest first, and forget them; return what could not be, and what to do by hand."""
    problems = []
    while undos:
        one = undos.pop()
        try:
            _try(one)
        except Exception as error:  # the rest is undone all the same
            problems.append(f"not undone: {type(one).__name__.lower()}: {error}; by hand: {one.by_hand}")
    return problems


def _try(one: Undo) -> None:
    """Undo it; again and again while the machine has too little of something. Raises HaftaError or OSError."""
    end = time.monotonic() + SHORTAGE
    while True:
        try:
            one.undo()
        except OSError as error:
            if error.errno not in SHORT or time.monotonic() > end:
                raise
        else:
            return
        time.sleep(POLL)
