"""How an ended process counts, what Restart= answers to it, and the start limit: systemd.service(5) as functions."""

from __future__ import annotations

import signal

from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Result = Literal[
        "success",
        "exit-code",
        "signal",
        "core-dump",
        "timeout",
        "watchdog",
        "protocol",
        "resources",
        "start-limit-hit",
        "dependency",
    ]

#: A signal that asks to end is a clean end of a service (not of a oneshot).
CLEAN_SIGNALS = frozenset((signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE))

_ABNORMAL = frozenset(("signal", "core-dump", "timeout", "watchdog", "protocol", "resources"))
#: Which results each value of Restart= starts again after.
RESTARTS: dict[str, frozenset[str]] = {
    "no": frozenset(),
    "on-success": frozenset(("success",)),
    "on-failure": _ABNORMAL | {"exit-code"},
    "on-abnormal": _ABNORMAL,
    "on-abort": frozenset(("signal", "core-dump")),
    "on-watchdog": frozenset(("watchdog",)),
    "always": _ABNORMAL | {"exit-code", "success"},
}


class Statuses(Record):
    """A set of exit statuses and signals, as SuccessExitStatus= and its kin give it."""

    codes: frozenset[int] = frozenset()
    signals: frozenset[int] = frozenset()

    def __contains__(self, outcome: Outcome) -> bool:
        return outcome.signal in self.signals if outcome.signal else outcome.code in self.codes

    def joined(self, other: Statuses) -> Statuses:
        """Return both together."""
        return Statuses(self.codes | other.codes, self.signals | other.signals)


class Outcome(Record):
    """How a main process ended: with a status or, when `signal` is not 0, by a signal."""

    code: int = 0
    signal: int = 0
    dumped: bool = False

    @classmethod
    def of(cls, status: int) -> Outcome:
        """Read what waitpid(2) gave."""
        if status & 0x7F:
            return cls(0, status & 0x7F, bool(status & 0x80))
        return cls(status >> 8 & 0xFF)


class Policy(Record):
    """What of a unit decides about its restarts. Times in seconds; a limit of 0 is no limit."""

    type: str = "simple"
    restart: str = "no"
    success: Statuses = Statuses()
    prevent: Statuses = Statuses()
    force: Statuses = Statuses()
    ignore_failure: bool = False  # ExecStart=-...
    remain: bool = False
    limit_interval: float = 10.0
    limit_burst: int = 5


def judge(outcome: Outcome, policy: Policy, *, ready: bool) -> Result:
    """Return what the end of a main process counts as; `ready` says whether the unit was up."""
    if not (_is_clean(outcome, policy) or policy.ignore_failure):
        if outcome.signal:
            return "core-dump" if outcome.dumped else "signal"
        return "exit-code"
    return "protocol" if policy.type == "notify" and not ready else "success"


def _is_clean(outcome: Outcome, policy: Policy) -> bool:
    if outcome in policy.success:
        return True
    if outcome.signal:
        return policy.type != "oneshot" and outcome.signal in CLEAN_SIGNALS
    return outcome.code == 0


def shall_restart(result: Result, outcome: Outcome | None, policy: Policy) -> bool:
    """Answer for Restart=; RestartPreventExitStatus= comes first, then RestartForceExitStatus=."""
    if outcome is not None and outcome in policy.prevent:
        return False
    if outcome is not None and outcome in policy.force:
        return True
    return result in RESTARTS[policy.restart]


class Limit:
    """The start limit, counted as systemd does: a start opens a window, which admits `burst` of them until it ends."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval = interval
        self.burst = burst
        self._opened: float | None = None
        self._count = 0

    def admits(self, now: float) -> bool:
        """Count a start at `now`; False when the window has had its number."""
        if self.interval <= 0 or self.burst <= 0:
            return True
        if self._opened is None or now > self._opened + self.interval:
            self._opened, self._count = now, 0
        self._count += 1
        return self._count <= self.burst
