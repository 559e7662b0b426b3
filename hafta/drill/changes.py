"""What drills change that last for a while: each has the holder know how it is undone, and only then makes the change.

`loop` needs no holder: its loops end by themselves when nobody holds the other end of their standard input any more.
"""

from __future__ import annotations

import os
import resource
import signal
import sys

from hafta import exits
from hafta.drill.drills import LOOPS, QUOTA
from hafta.drill.managers import Systemd
from hafta.drill.undo import Continue, Descriptors, Quota, open_process, signal_process
from hafta.errors import HaftaError
from hafta.process.stat import read_process
from hafta.process.table import descendants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.drill.holder import Holder
    from hafta.drill.managers import Embedded
    from hafta.drill.subject import Subject

    #: Makes a change; returns what ends those that end by themselves.
    Change = Callable[[Subject, Systemd | Embedded, Holder], Callable[[], None]]

JOURNALD = "systemd-journald.service"
#: It burns until the other end of its standard input is closed, which the death of the drill does, too.
_BURN = "import select\nwhile not select.select([0], [], [], 0)[0]:\n    for _ in range(100000): pass\n"


def _nothing() -> None:
    """End nothing: the holder does."""


def loop(_subject: Subject, _manager: Systemd | Embedded, _holder: Holder) -> Callable[[], None]:
    """Let loops burn beside the unit."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, reader, 0)]
    pids = [
        os.posix_spawn(sys.executable, [sys.executable, "-IS", "-c", _BURN], os.environ, file_actions=actions)
        for _ in range(LOOPS)
    ]
    os.close(reader)

    def end() -> None:
        os.close(writer)
        for pid in pids:
            os.waitpid(pid, 0)

    return end


def no_descriptors(subject: Subject, _manager: Systemd | Embedded, holder: Holder) -> Callable[[], None]:
    """Let no process of the unit open one more descriptor. Raises HaftaError."""
    try:
        for pid in (subject.pid, *descendants(subject.pid)):
            process = read_process(pid)
            if process is not None and not process.is_dead:
                _limit(pid, process.started, holder)
    except PermissionError as error:
        hint = "run this as root, or as the user of the unit"
        raise HaftaError(f"no right to limit {subject.unit}", hint, status=exits.PERMISSION) from error
    return _nothing


def _limit(pid: int, started: int, holder: Holder) -> None:
    try:
        taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        low = next(number for number in range(len(taken) + 1) if number not in taken)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        holder.hold(Descriptors(pid, started, low, soft))
        if (fd := open_process(pid, started)) >= 0:
            os.close(fd)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (low, hard))
    except (FileNotFoundError, ProcessLookupError):
        return  # it has ended


def starved(subject: Subject, manager: Systemd | Embedded, holder: Holder) -> Callable[[], None]:
    """Let the unit have little of a processor. Raises HaftaError."""
    assert isinstance(manager, Systemd)
    holder.hold(Quota.of(manager, subject))
    # systemctl outlives a drill that is killed: so the holder waits for its end, too.
    words = ("set-property", "--runtime", "--", subject.unit, f"CPUQuota={QUOTA}")
    manager.ask(*words, inherited=(holder.fileno(),))
    return _nothing


def journald_stuck(_subject: Subject, manager: Systemd | Embedded, holder: Holder) -> Callable[[], None]:
    """Stop journald. Raises HaftaError."""
    found = manager.find(JOURNALD)
    process = read_process(found.pid) if found and found.pid else None
    if process is None:
        raise HaftaError("journald does not run", f"systemctl start {JOURNALD}", status=exits.FAILED)
    holder.hold(Continue(process.pid, process.started))
    signal_process(process.pid, process.started, signal.SIGSTOP)
    return _nothing


CHANGES: dict[str, Change] = {
    "loop": loop,
    "no-descriptors": no_descriptors,
    "starved": starved,
    "journald-stuck": journald_stuck,
}
