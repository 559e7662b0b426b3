"""How the last process ended, for On(), FailSequence() and Panic(): functions of the reason of an interrupted node.

`On(Killed(signal.SIGSEGV), FAIL_SEQUENCE)`. A policy is asked about a death in the next process. Its reason is an
Interrupted, whose `cause` says how the process ended, where somebody has seen it: a warm parent (docs/warm.md), the
overlord, or the host that has taken over (docs/hosts.md). Where nobody has, none of these is true.

The kernel kills with SIGKILL when memory runs out: then Killed(SIGKILL) and OutOfMemory() are both true. Write the
narrower one first: `On(OutOfMemory(), FAIL_SEQUENCE) | On(Killed(signal.SIGKILL), ROLL_BACK_CURRENT)`.
"""

from __future__ import annotations

from hafta.death import HANG, HOST, MEMORY, OOM, TIMEOUT, Death
from hafta.policies.reasons import reasons_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Killed:
    """True if the last process was killed by one of these signals; without any, if it was killed by a signal at all.

    Raises TypeError for what is not the number of a signal.
    """

    def __init__(self, *signums: int) -> None:
        for signum in signums:
            if not isinstance(signum, int) or not 0 < signum < 65:
                raise TypeError(f"Killed is about signals such as signal.SIGSEGV, not {signum!r}")
        self.signums = frozenset(map(int, signums))

    def __call__(self, reason: Any) -> bool:
        """Tell whether this reason is such a death."""
        return any(death.signal and (not self.signums or death.signal in self.signums) for death in causes_in(reason))

    def __repr__(self) -> str:
        return f"Killed({', '.join(map(str, sorted(self.signums)))})"


class Hung:
    """True if the last process was ended because it hung, or took longer than its node's timeout."""

    def __call__(self, reason: Any) -> bool:
        """Tell whether this reason is such a death."""
        return any(death.why in {HANG, TIMEOUT} for death in causes_in(reason))

    def __repr__(self) -> str:
        return "Hung()"


class HostLost:
    """True if the last process was lost with its host; with names, if that was one of these hosts.

    Its machine has restarted since, or another one has taken over when the lease had ended. Raises TypeError for what
    is not a name.
    """

    def __init__(self, *hosts: str) -> None:
        for host in hosts:
            if not isinstance(host, str) or not host:
                raise TypeError(f"HostLost is about names of hosts, not {host!r}")
        self.hosts = frozenset(hosts)

    def __call__(self, reason: Any) -> bool:
        """Tell whether this reason is such a death."""
        return any(death.why == HOST and (not self.hosts or death.host in self.hosts) for death in causes_in(reason))

    def __repr__(self) -> str:
        return f"HostLost({', '.join(map(repr, sorted(self.hosts)))})"


class OutOfMemory:
    """True if the kernel killed the last process for memory: that of the machine, or the limit of its control group."""

    def __call__(self, reason: Any) -> bool:
        """Tell whether this reason is such a death."""
        return any(death.why in {OOM, MEMORY} for death in causes_in(reason))

    def __repr__(self) -> str:
        return "OutOfMemory()"


def causes_in(reason: Any) -> Iterator[Death]:
    """Yield how the processes ended that this reason, or one in it, is about."""
    for one in reasons_in(reason):
        cause = getattr(one, "cause", None)
        if isinstance(cause, Death):
            yield cause
