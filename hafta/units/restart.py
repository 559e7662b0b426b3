"""How an ended process counts, what Restart= answers to it, and the start limit: systemd.service(5) as functions."""

from __future__ import annotations

import signal

from hafta.frozen import Frozen

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
        "service-start-limit-hit",  # of a socket, as the next one
        "trigger-limit-hit",
        "dependency",
        "assert",
        "exec-condition",
    ]

#: A signal that asks to end is a clean end of a service (not of a oneshot).
NO_ANSWER = 255  # of ExecCondition=: it failed itself
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


class Statuses(Frozen):
    """A set of exit statuses and signals, as SuccessExitStatus= and its kin give it."""

    codes: frozenset[int] = frozenset()
    signals: frozenset[int] = frozenset()

    def __contains__(self, outcome: Outcome) -> bool:
        return outcome.signal in self.signals if outcome.signal else outcome.code in self.codes

    def joined(self, other: Statuses) -> Statuses:
        """Return both together."""
        return Statuses(self.codes | other.codes, self.signals | other.signals)


class Outcome(Frozen):
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

    def in_words(self) -> tuple[str, str]:
        """Return $EXIT_CODE and $EXIT_STATUS."""
        if not self.signal:
            return "exited", str(self.code)
        known = self.signal in signal.valid_signals() and self.signal <= signal.SIGSYS
        name = signal.Signals(self.signal).name.removeprefix("SIG") if known else _real_time(self.signal)
        return "dumped" if self.dumped else "killed", name


def _real_time(number: int) -> str:
    return f"RTMIN+{number - signal.SIGRTMIN}" if number >= signal.SIGRTMIN else str(number)


class Policy(Frozen):
    """What of a unit decides about its restarts. Times in seconds; a limit of 0 means no limit."""

    type: str = "simple"
    restart: str = "no"
    success: Statuses = Statuses()
    prevent: Statuses = Statuses()
    force: Statuses = Statuses()
    remain: bool = False
    any_may_notify: bool = False  # not the main process alone
    limit_interval: float = 10.0
    limit_burst: int = 5


def judge(outcome: Outcome, policy: Policy, *, ready: bool, forgiven: bool = False) -> Result:
    """Return what the end of a main process counts as: was the unit up, and does its command have the prefix `-`?"""
    if not (forgiven or _is_clean(outcome, policy, daemon=policy.type != "oneshot")):
        return _failure(outcome)
    # What remains without a main process may be up later, when another of its processes says so.
    never_up = (
        policy.type in {"notify", "notify-reload"} and not ready and not (policy.remain and policy.any_may_notify)
    )
    return "protocol" if never_up else "success"


def judge_command(outcome: Outcome, policy: Policy, *, forgiven: bool, asks: bool) -> Result:
    """Return what the end of a control process counts as.

    One that `asks` is ExecCondition=: a status of 1 to 254 says that the unit shall not start. That does not count as a
    failure.
    """
    if forgiven or _is_clean(outcome, policy, daemon=False):
        return "success"
    if asks and not outcome.signal and outcome.code < NO_ANSWER:
        return "exec-condition"
    return _failure(outcome)


def _failure(outcome: Outcome) -> Result:
    if outcome.signal:
        return "core-dump" if outcome.dumped else "signal"
    return "exit-code"


def _is_clean(outcome: Outcome, policy: Policy, *, daemon: bool) -> bool:
    if outcome in policy.success:
        return True
    if outcome.signal:
        return daemon and outcome.signal in CLEAN_SIGNALS
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
