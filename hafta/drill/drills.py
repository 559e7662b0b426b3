"""The drills: what each does, what that tells, how it is undone, where it makes sense. Pure."""

from __future__ import annotations

import signal
from enum import Enum

from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.observe import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hafta.drill.managers import Embedded, Systemd
    from hafta.drill.subject import Subject

LOOPS = 8
QUOTA = "5%"
#: Values of Restart= with which a unit is started again, by the signal that ended it. SIGSTOP: the watchdog did.
STARTED_AGAIN = {
    signal.SIGKILL: ("always", "on-failure", "on-abnormal", "on-abort"),
    signal.SIGSTOP: ("always", "on-failure", "on-abnormal", "on-watchdog"),
    signal.SIGTERM: ("always", "on-success"),
}
LEAST, MOST = 3.0, 20.0  # seconds that a drill lasts which does not end the unit


class Way(Enum):
    """How a drill is done."""

    ENDS = "it ends the main process, or has it hang: round by round"
    HOLDS = "it lasts for a while"


class Drill(Frozen):
    """One drill. `only_system`: it makes sense only for units of the system's systemd; or of any systemd."""

    name: str
    does: str
    undone: str
    way: Way
    signum: signal.Signals = signal.SIGCONT
    only_systemd: bool = False
    only_system: bool = False


_ALL = (
    Drill("kill", "SIGKILL to the main process", "it is started, if nobody else does", Way.ENDS, signal.SIGKILL),
    Drill("stop", "SIGSTOP to the main process, until the watchdog ends it", "SIGCONT; it is started, if nobody else"
          " does", Way.ENDS, signal.SIGSTOP),
    Drill("term", "SIGTERM to the main process", "it is started, if nobody else does", Way.ENDS, signal.SIGTERM),
    Drill("loop", f"{LOOPS} busy loops beside the unit", "the loops end", Way.HOLDS),
    Drill("no-descriptors", "no process of the unit may open one more descriptor", "the limit of before", Way.HOLDS),
    Drill("starved", f"CPUQuota={QUOTA}", "the quota of before; no drop-in is left", Way.HOLDS, only_systemd=True),
    Drill("journald-stuck", "SIGSTOP to journald", "SIGCONT to journald", Way.HOLDS, only_system=True),
)  # fmt: skip
DRILLS = {one.name: one for one in _ALL}
USUAL = ("kill", "stop", "term")


def choose(names: Sequence[str]) -> list[Drill]:
    """Return the drills of these names. Raises UsageError."""
    unknown = [name for name in names if name not in DRILLS]
    if unknown:
        raise UsageError(f"there is no drill {unknown[0]!r}", f"there are {', '.join(DRILLS)}")
    return [DRILLS[name] for name in dict.fromkeys(names or USUAL)]


def why_not(drill: Drill, subject: Subject, manager: str, *, of_user: bool) -> str:
    """Return why a drill makes no sense for a unit; empty: it does."""
    if (drill.only_systemd or drill.only_system) and manager != words.SYSTEMD:
        return "only under systemd"
    if drill.only_system and of_user:
        return "only for units of the system"
    if drill.name == "stop" and not subject.watchdog:
        return "nobody would notice it: the unit has no WatchdogSec="
    if drill.way is Way.ENDS and manager != words.SYSTEMD and subject.restart not in STARTED_AGAIN[drill.signum]:
        return f"nobody starts it again (Restart={subject.restart or 'no'}), and an overlord ends with its last unit"
    return ""


def lasts(subject: Subject) -> float:
    """Return how many seconds a drill lasts that does not end the unit: twice its watchdog, within bounds."""
    return min(max(2 * subject.watchdog, LEAST), MOST)


def stays_stopped(drill: Drill, subject: Subject) -> bool:
    """Tell whether the unit is not started again, because it was ended as somebody may want it to end."""
    return drill.signum == signal.SIGTERM and subject.restart not in STARTED_AGAIN[signal.SIGTERM]


def rounds(drill: Drill, subject: Subject, times: int) -> int:
    """Return how many rounds a drill takes."""
    return times if drill.way is Way.ENDS and not stays_stopped(drill, subject) else 1


def ends(chosen: Iterable[Drill], subject: Subject, times: int, manager: Systemd | Embedded) -> int:
    """Return how often these drills end the unit, and have it started again."""
    ending = (one for one in chosen if one.way is Way.ENDS and not stays_stopped(one, subject))
    return sum(times for one in ending if not why_not(one, subject, manager.kind, of_user=manager.of_user))


def patience(drill: Drill, subject: Subject) -> float:
    """Return for how many seconds a round may go on: `stop` is noticed by the watchdog."""
    return subject.patience + (subject.watchdog if drill.signum == signal.SIGSTOP else 0.0)
