"""Readers of how a process is scheduled: Nice=, OOMScoreAdjust=, IOScheduling*, CPUScheduling*, CPUAffinity=, ..."""

from __future__ import annotations

import os

from hafta.units import amounts, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafta.units.specifiers import Specifiers

Setting = tuple[str, int]
_IO_CLASSES = {"none": 0, "realtime": 1, "best-effort": 2, "idle": 3}
_IO_DEFAULT = (_IO_CLASSES["best-effort"], 4)  # what the kernel takes "none" for
_POLICIES = {
    "other": os.SCHED_OTHER,
    "batch": os.SCHED_BATCH,
    "idle": os.SCHED_IDLE,
    "fifo": os.SCHED_FIFO,
    "rr": os.SCHED_RR,
}
_CPUS = 8192  # systemd takes no number from here on


def nice(value: str, _: Specifiers) -> int:
    """Read a nice level."""
    return amounts.signed_number(value, -20, 19)


def oom_score(value: str, _: Specifiers) -> int:
    """Read an adjustment of the score by which the kernel chooses whom to kill when memory is short."""
    return amounts.signed_number(value, -1000, 1000)


def io_class(value: str, _: Specifiers) -> tuple[Setting]:
    """Read a class of I/O."""
    return (("class", _named(value, _IO_CLASSES)),)


def io_priority(value: str, _: Specifiers) -> tuple[Setting]:
    """Read a priority within a class of I/O."""
    return (("priority", amounts.whole_number(value, 8)),)


def io_together(settings: Iterable[Setting]) -> tuple[int, int] | None:
    """Return class and priority as the lines say together; None if they say nothing."""
    found = None
    for kind, number in settings:
        which, priority = found or _IO_DEFAULT
        found = (number, priority) if kind == "class" else (which, number)
        if not found[0]:
            found = _IO_DEFAULT
    return found


def policy(value: str, _: Specifiers) -> tuple[Setting]:
    """Read a policy of the CPU's scheduler; nothing takes back all that was said of it."""
    return (("policy", _named(value, _POLICIES)),) if value else (("reset", 0),)


def priority(value: str, _: Specifiers) -> tuple[Setting]:
    """Read a priority of the CPU's scheduler."""
    return (("priority", amounts.whole_number(value, 100)),)


def cpu_together(settings: Iterable[Setting]) -> tuple[int, int] | None:
    """Return policy and priority as the lines say together; None if they say nothing.

    A policy moves the priority into its range, a priority that comes later is taken as it stands.
    """
    found: tuple[int, int] | None = None
    for kind, number in settings:
        which, rank = found or (os.SCHED_OTHER, 0)
        if kind == "policy":
            least, most = os.sched_get_priority_min(number), os.sched_get_priority_max(number)
            found = (number, min(max(rank, least), most))
        else:
            found = (which, number) if kind == "priority" else None
    return found


def _named(value: str, names: dict[str, int]) -> int:
    """Return the number of a name; or a number, if it is that of a name."""
    try:
        found = names[value] if value in names else amounts.whole_number(value, 8)
    except ValueError:
        found = -1
    if found not in names.values():
        raise ValueError(f"one of {', '.join(names)}")
    return found


def affinity(value: str, _: Specifiers) -> tuple[int, ...]:
    """Read numbers of CPUs, and ranges of them."""
    found: list[int] = []
    for word in words.split(value, words.CPUS):
        first, dash, last = word.partition("-")
        try:
            low = amounts.whole_number(first, _CPUS)
            high = amounts.whole_number(last, _CPUS) if dash else low
        except ValueError:
            high = low = -1
        if low < 0 or high < low:
            raise ValueError(f"numbers of CPUs below {_CPUS} and ranges such as 0-3, not {word}")
        found += range(low, high + 1)
    return tuple(dict.fromkeys(found))


def timer_slack(value: str, _: Specifiers) -> int | None:
    """Read a time span in nanoseconds; infinity leaves it as it is."""
    found = amounts.nanoseconds(value)
    return None if found == amounts.INFINITY else found
