"""One vocabulary of what stands where, for text, JSON and whatever else shows it."""

from __future__ import annotations

from hafta import exits

#: How a service stands, the worst first.
FAILED = "failed"  # it is not started again
HUNG = "hung"  # it missed its watchdog, and is being ended
DOWN = "down"  # it ended, and waits for its next start
HELD = "held"  # it crashed too often, and holds itself back before READY
DEGRADED = "degraded"  # it is up, and its work does not get on
STARTING = "starting"
STOPPING = "stopping"
UP = "up"
STOPPED = "stopped"
ORDER = (FAILED, HUNG, DOWN, HELD, DEGRADED, STARTING, STOPPING, UP, STOPPED)
BAD = frozenset((FAILED, HUNG, DOWN, HELD, DEGRADED))
COLOURS = {FAILED: "red", HUNG: "red", DOWN: "red", HELD: "yellow", DEGRADED: "yellow", UP: "green"}

SYSTEMD, EMBEDDED, NOBODY = "systemd", "embedded", None  # who runs a unit

_EXITED, _KILLED, _DUMPED = 1, 2, 3  # waitid(2): CLD_EXITED and so on
_NAMES = {value: name for name, value in vars(exits).items() if isinstance(value, int) and name.isupper()}
#: What to do about an exit status of a service.
_CURES = {
    exits.USAGE: "correct the unit or its settings, then restart it",
    exits.PERMISSION: "see which permission is missing, and of whom",
    exits.READER_GONE: "start the reader of its pipe",
    exits.NOT_A_PIPE: "remove or rename what stands at its pipe's path",
    exits.SYMLINK: "remove the symbolic link at its pipe's path",
    exits.FOREIGN_OWNER: "see who made the pipe",
    exits.NO_SPACE: "free space where it keeps its records and its pipe",
    exits.IN_USE: "stop the other copy",
    exits.UNHEALTHY: "see which probe failed",
    exits.LOST: "see where its store has been",
    exits.PANIC: "see where it panicked",
}


def ended(code: int | None, status: int | None) -> str | None:
    """Return how a process ended in words, from what waitid(2) says; None if it has not, or nobody knows."""
    if not code or status is None:
        return None
    if code in {_KILLED, _DUMPED}:
        dumped = ", core dumped" if code == _DUMPED else ""
        return f"killed by {signal_name(status)}{dumped}"
    name = _NAMES.get(status, "") if status else ""
    return f"exit {status} {name}".rstrip()


def meaning(code: int | None, status: int | None) -> str | None:
    """Return what an exit status means; None for one that is not ours."""
    return exits.MEANING.get(status) if code == _EXITED and status else None


def cure(code: int | None, status: int | None) -> str | None:
    """Return what to do about an exit status; None where only the log knows."""
    return _CURES.get(status) if code == _EXITED and status is not None else None


def signal_name(number: int) -> str:
    """Return SIGKILL for 9, `signal 40` for one without a name."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
