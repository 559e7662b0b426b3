"""What must not be drilled, and why: from what is known of a unit. Pure."""

from __future__ import annotations

from hafta.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hafta.drill.subject import Subject

SERVICE = ".service"
#: Without these there is no machine to come back on, or nobody who could look.
VITAL = frozenset((
    "dbus.service", "dbus-broker.service", "ssh.service", "sshd.service", "systemd-journald.service",
    "console-getty.service", "systemd-logind.service", "systemd-udevd.service", "systemd-networkd.service",
    "systemd-resolved.service",
))  # fmt: skip
VITAL_PREFIXES = ("user@", "sshd@", "ssh@", "systemd-journald@", "getty@", "serial-getty@", "container-getty@")
PATIENT = 60.0  # seconds that a round may wait for the start limit


def refuse(subject: Subject, own_units: Collection[str], own_line: Collection[int]) -> None:
    """Raise UsageError if this unit must not be drilled at all.

    `own_units`: those in which the drill runs; `own_line`: its process, the parent of that, and so on.
    """
    unit = subject.unit
    if not unit.endswith(SERVICE):
        raise UsageError(f"{unit} is not a service", "name a service: only they have a process that can be drilled")
    if is_vital(unit, subject.names) or subject.pid == 1:
        raise UsageError(f"{unit} is not drilled: the machine needs it, to be looked at or to be repaired",
                         "drill a service of yours")  # fmt: skip
    if unit in own_units or subject.pid in own_line:
        raise UsageError(f"the drill itself runs in {unit}, and would end with it", "run it from another place")
    if subject.dependents:
        others = ", ".join(subject.dependents)
        raise UsageError(f"{unit} is required by {others}, which would go down with it",
                         "drill a copy on a test machine, or have them want it (Wants=)")  # fmt: skip
    if not subject.is_up:
        raise UsageError(f"{unit} is not up: it is {subject.state or 'unknown'}",
                         f"start it, then drill it; see hafta status {unit}")  # fmt: skip


def is_vital(unit: str, names: Sequence[str] = ()) -> bool:
    """Tell whether a unit is one of those that a machine must have, by any of its names."""
    return any(name in VITAL or name.startswith(VITAL_PREFIXES) for name in (unit, *names))


def refuse_without_budget(subject: Subject, starts: Collection[int], now: int, ends: int = 1) -> None:
    """Raise UsageError if the start limit leaves no start, or a round would have to wait for long.

    `starts`: when the unit was started, in microseconds; `now`: as they; `ends`: how often the drills end it.
    """
    if (waits := pause(subject, starts, now)) > PATIENT:
        raise UsageError(
            f"{subject.unit} has no restart left: its start limit allows {subject.burst} starts in"
            f" {subject.interval:g} s, one of which a drill leaves unused",
            f"wait {waits:.0f} s, or raise StartLimitBurst=" if waits != float("inf") else "raise StartLimitBurst=",
        )
    if subject.interval > PATIENT and (left := _left(subject, starts, now)) < ends:
        raise UsageError(
            f"{subject.unit} has {left} restarts left for {ends} rounds: its start limit allows {subject.burst} starts"
            f" in {subject.interval:g} s, one of which a drill leaves unused",
            "take fewer drills or rounds (--times), or raise StartLimitBurst=",
        )


def pause(subject: Subject, starts: Collection[int], now: int) -> float:
    """Return for how many seconds to wait until one more end leaves a start unused."""
    if not subject.burst or not subject.interval:
        return 0.0
    usable = subject.burst - 1
    if usable < 1:
        return float("inf")
    recent = _recent(subject, starts, now)
    if len(recent) < usable:
        return 0.0
    if subject.interval == float("inf"):
        return subject.interval
    return max(0.0, (recent[-usable] - now) / 1e6 + subject.interval)


def _left(subject: Subject, starts: Collection[int], now: int) -> float:
    """Return how often the unit may end without a wait so that a start is still left unused."""
    return subject.burst - 1 - len(_recent(subject, starts, now)) if subject.burst else float("inf")


def _recent(subject: Subject, starts: Collection[int], now: int) -> list[int]:
    """Return the starts that the limit counts, the oldest first."""
    return sorted(at for at in starts if at > now - subject.interval * 1e6)
