"""Why a unit was down, and how that ended; and what is known of one run."""

from __future__ import annotations

import re
import signal

from hafta import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.observe.entry import Entry

#: What systemd calls the result of a unit, and what it is called here.
RESULTS = {
    "watchdog": "hang",
    "oom-kill": "oom",
    "core-dump": "core",
    "timeout": "timeout",
}


class Outage:
    """A time in which the unit was down: from `at` until `until`, if it is over."""

    __slots__ = ("at", "cause", "drill", "failed_starts", "given_up", "is_failure", "outcome", "run", "until")

    def __init__(self, at: int, cause: str, run: str, *, is_failure: bool) -> None:
        self.at = at
        self.cause = cause
        self.run = run  # the one that ended
        self.is_failure = is_failure  # whether it had been up before
        self.drill = ""  # the one that was going on, which is why
        self.failed_starts = 0
        self.given_up = ""  # why the manager did not start it again
        self.until: int | None = None
        self.outcome = ""  # restored, stopped, machine, unknown

    def end(self, at: int, outcome: str) -> None:
        """It is over."""
        self.until, self.outcome = max(at, self.at), outcome


class Worker:
    """What is known of the workers of one invocation of a warm service (hafta/observe/warm.py)."""

    __slots__ = ("is_away", "is_warm")

    def __init__(self) -> None:
        self.is_warm = False  # whether any of its workers has died
        self.is_away = False  # whether it is down because the next worker does not work yet


class Run:
    """What is known of one invocation."""

    __slots__ = (
        "begun",
        "by_hand",
        "deactivated",
        "hint",
        "name",
        "proof",
        "refined",
        "restart",
        "unsettled",
        "worker",
    )

    def __init__(self, name: str, at: int, begun: int | None = None) -> None:
        self.name = name
        self.begun = begun  # since when a start is going on
        self.unsettled: int | None = None  # since when it was starting or up when it ended: the next entry tells
        self.proof = at  # the newest sign of life
        self.deactivated: int | None = None  # when it ended without a failure
        self.hint = ""  # a cause that is told before the end
        self.refined = False  # whether systemd has told its result
        self.restart = False  # whether a restart is scheduled
        self.by_hand = False  # whether it was stopped in order to start it again
        self.worker = Worker()


def cause_of_exit(entry: Entry) -> str:
    """Return how a process ended, in a few words: `killed SIGKILL`, `core`, `exit 24`."""
    code, status = entry.fields.get("EXIT_CODE", ""), entry.fields.get("EXIT_STATUS", "")
    if code == "dumped":
        return "core"
    if code == "killed":
        return f"killed {_signal(status)}"
    return f"exit {entry.number('EXIT_STATUS')}" if status.isascii() and status.isdigit() else "exit"


def cause_of_result(entry: Entry) -> str:
    """Return what systemd calls the result of a run, in our words; empty if it says less than the exit has."""
    return RESULTS.get(entry.fields.get("UNIT_RESULT", ""), "")


_KILLED = re.compile(r"was killed by (SIG[A-Z0-9]{2,12}|signal \d{1,3})\b")
_ENDED = re.compile(r"ended with status (\d{1,3})\b")


def cause_of_worker(reason: str) -> str:
    """Return how a worker ended, in the words of cause_of_exit(); empty if it was asked to go. hafta/death.py."""
    if reason.startswith(("hung", "took too long")):
        return "hang"
    if reason.startswith("was killed by the kernel"):
        return "oom"
    if reason.startswith("panicked"):
        return f"exit {exits.PANIC}"
    if killed := _KILLED.match(reason):
        return f"killed {killed[1]}"
    if ended := _ENDED.match(reason):
        return f"exit {ended[1]}" if int(ended[1]) else ""
    return "" if reason.startswith("broke a rule") else "failed"


def _signal(status: str) -> str:
    try:
        return signal.Signals(int(status)).name
    except ValueError:
        return status[:20] if status.isprintable() else "?"
