"""What a child does between fork and exec for the attributes of its unit: steps that are prepared before the fork.

They are in systemd's order, and a step that fails ends the child with systemd's exit status for it. Where a container
or a user who is not root may not have what is asked for, then (docs/overlord.md, "Privileges"):

1. Nothing runs with more rights than asked for. Who may not make the bounding set smaller keeps no capability outside
   of it, and can never get one (no_new_privs).
2. What makes it only stronger is left out: a capability that we do not have, a higher OOM score or nice level.
3. Anything else that the kernel refuses fails the unit.
"""

from __future__ import annotations

import errno
import os
import resource
from functools import partial

from hafta.frozen import Frozen
from hafta.process import privileges
from hafta.units.attributes import PLAIN, Attributes
from hafta.units.capabilities import ALL, names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hafta.units.unit import Unit

    #: An exit status, and what must work lest the child end with it.
    Step = tuple[int, Callable[[], object]]

#: Exit statuses: systemd.exec(5), "Process Exit Codes".
NICE, OOM_ADJUST, IOPRIO, TIMERSLACK, SECUREBITS, SETSCHEDULER, CPUAFFINITY = 201, 206, 211, 212, 213, 214, 215
CAPABILITIES, NO_NEW_PRIVILEGES = 218, 227
#: What could not be done, by exit status.
FAILURES = {
    NICE: "cannot set the nice level (Nice=)",
    OOM_ADJUST: "cannot adjust the OOM score (OOMScoreAdjust=)",
    IOPRIO: "cannot set the priority of I/O (IOSchedulingClass=)",
    TIMERSLACK: "cannot set the timer slack (TimerSlackNSec=)",
    SECUREBITS: "cannot set the secure bits (SecureBits=)",
    SETSCHEDULER: "cannot set the scheduling policy (CPUSchedulingPolicy=)",
    CPUAFFINITY: "cannot choose the CPUs (CPUAffinity=)",
    CAPABILITIES: "cannot set the capabilities (AmbientCapabilities=, CapabilityBoundingSet=)",
    NO_NEW_PRIVILEGES: "cannot forbid new privileges (NoNewPrivileges=)",
}
_OOM_SCORE = "/proc/self/oom_score_adj"
_REFUSED = frozenset((errno.EPERM, errno.EACCES))


class Steps(Frozen):
    """What a child does first, and before, with and after the change of its user."""

    first: tuple[Step, ...] = ()
    before_user: tuple[Step, ...] = ()
    after_user: tuple[Step, ...] = ()
    last: tuple[Step, ...] = ()

    def without_privileges(self) -> Steps:
        """Return the steps of a command that keeps all privileges: only how it is scheduled."""
        return Steps(self.first)


NOTHING = Steps()


def steps_of(attributes: Attributes, uid: int) -> Steps:
    """Return the steps for a process that is to run as this user; -1: as we do. Raises OSError."""
    if attributes is PLAIN:
        return NOTHING
    first = _scheduling(attributes)
    before: list[Step] = []
    after: list[Step] = []
    last: list[Step] = []
    keep = _all_but_inert(attributes.bounding)
    can_bound = privileges.can_bound() if keep is not None else False
    if keep is not None and can_bound:
        before.append((CAPABILITIES, partial(privileges.bound, keep)))
    changes = uid > 0
    bits = attributes.secure_bits
    wanted = 0
    if attributes.ambient is not None:
        wanted = attributes.ambient & obtainable() & (ALL if keep is None else keep)
        before.append((CAPABILITIES, partial(privileges.make_inheritable, wanted)))
        before.append((CAPABILITIES, partial(privileges.set_ambient, wanted)))
        if changes and wanted:
            after.append((CAPABILITIES, partial(privileges.set_ambient, wanted)))
    if changes and (wanted or bits):
        before.append((SECUREBITS if bits else CAPABILITIES, partial(privileges.keep_capabilities, bits)))
    elif bits:
        last.append((SECUREBITS, partial(privileges.set_secure_bits, bits)))
    if keep is not None and not can_bound:
        last.append((CAPABILITIES, partial(privileges.renounce, keep)))
    if attributes.no_new_privileges:
        last.append((NO_NEW_PRIVILEGES, privileges.forbid_new_privileges))
    return Steps(first, tuple(before), tuple(after), tuple(last))


def _all_but_inert(bounding: int | None) -> int | None:
    """Return a bounding set; None if it leaves out nothing that the kernel has."""
    known = sum(1 << number for number in privileges.CAPABILITIES)
    return None if bounding is None or bounding | ~known == -1 else bounding


def _scheduling(attributes: Attributes) -> tuple[Step, ...]:
    found: list[Step] = []
    if attributes.oom_score is not None:
        found.append((OOM_ADJUST, partial(_adjust_oom_score, b"%d" % attributes.oom_score)))
    if attributes.nice is not None:
        found.append((NICE, partial(_be_nice, attributes.nice)))
    if attributes.cpu:
        policy, priority, resets = attributes.cpu
        flags = os.SCHED_RESET_ON_FORK if resets else 0
        parameters = os.sched_param(priority)
        found.append((SETSCHEDULER, partial(os.sched_setscheduler, 0, policy | flags, parameters)))
    if attributes.affinity:
        found.append((CPUAFFINITY, partial(os.sched_setaffinity, 0, attributes.affinity)))
    if attributes.io:
        found.append((IOPRIO, partial(privileges.set_io_priority, *attributes.io)))
    if attributes.timer_slack is not None:
        found.append((TIMERSLACK, partial(privileges.set_timer_slack, attributes.timer_slack)))
    return tuple(found)


def _adjust_oom_score(score: bytes) -> None:
    """Adjust the score; systemd passes over it where a container does not allow it, and so do we."""
    fd = os.open(_OOM_SCORE, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, score)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
    finally:
        os.close(fd)


def _be_nice(level: int) -> None:
    """Set the nice level; if it is too high for us, the highest that we may have."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, level)
    except OSError as error:
        now = os.getpriority(os.PRIO_PROCESS, 0)
        if error.errno not in _REFUSED or level > now:
            raise
        most = 20 - resource.getrlimit(resource.RLIMIT_NICE)[0]
        if now > most:
            os.setpriority(os.PRIO_PROCESS, 0, most)


def obtainable() -> int:
    """Return the capabilities that we can hand on."""
    return privileges.get_sets().permitted & privileges.bounding_set()


def notes_on(units: Iterable[Unit]) -> list[str]:
    """Return a sentence on each thing that a service has less of than its unit asks for."""
    found = []
    asking = [unit for unit in units if unit.attributes.ambient]
    have = obtainable() if asking else 0
    for unit in asking:
        attributes = unit.attributes
        wanted = (attributes.ambient or 0) & (ALL if attributes.bounding is None else attributes.bounding)
        if lost := names_of(wanted & ~have):
            found.append(f"{unit.name}: the overlord does not have {', '.join(lost)}: runs without")
    bounded = [unit.name for unit in units if _all_but_inert(unit.attributes.bounding) is not None]
    if bounded and not privileges.can_bound():
        names = ", ".join(bounded)
        found.append(f"without CAP_SETPCAP, NoNewPrivileges= stands for CapabilityBoundingSet=: {names}")
    return found
