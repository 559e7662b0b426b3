"""What a unit's actions report: one event each (hafta.journal.overlord_events)."""

from __future__ import annotations

import signal

from hafta.journal import overlord_events as events
from hafta.journal.event import show_duration
from hafta.overlord.table import Action, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event
    from hafta.overlord.runner import Runner

_NOT_READY = {"notify": "no READY=1", "exec": "its program did not begin", "oneshot": "its work was not done"}
_REASONS = {
    "watchdog": "the watchdog ran out",
    "protocol": "it ended before it was ready",
    "resources": "it could not be started",
    "dependency": "what it requires is not up",
    "exit-code": "its main process failed",
    "signal": "its main process was killed",
    "core-dump": "its main process crashed",
}


def tell(runner: Runner, action: Action) -> Event | None:
    """Return the event that an action reports; None for a target, which has no process to speak of."""
    return _TELLERS[action](runner) if runner.unit.is_service else None


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _ready(runner: Runner) -> Event:
    return events.UnitReady(runner.name, runner.main or runner.last, _microseconds(runner.age()))


def _exited(runner: Runner) -> Event:
    outcome = runner.machine.outcome
    assert outcome is not None
    return events.UnitExited(
        runner.name,
        runner.last,
        status=None if outcome.signal else outcome.code,
        signal=_signal(outcome.signal) if outcome.signal else None,
        # Other results say no more than the status or the signal that is shown beside them.
        reason=_why(runner, runner.machine.result in {"timeout", "watchdog", "protocol"}) or None,
    )


def _why(runner: Runner, has_reason: bool = True) -> str:
    """Return the reason of a failure, if it is to be told, and what the unit or the kernel has said of it."""
    result = runner.machine.result
    reason = _too_late(runner) if result == "timeout" else _REASONS.get(result, result)
    return ": ".join(filter(None, (reason if has_reason else "", runner.trouble)))


def _too_late(runner: Runner) -> str:
    unit = runner.unit
    if runner.machine.late is State.ACTIVATING:
        what, limit, name = _NOT_READY.get(unit.policy.type, "it was not up"), unit.timeout_start, "TimeoutStartSec="
    else:
        what, limit, name = "it did not end", unit.timeout_stop, "TimeoutStopSec="
    return f"{what} within {show_duration(_microseconds(limit))} ({name})"


def _signal(number: int) -> int:
    return signal.Signals(number) if number in signal.valid_signals() and number < signal.SIGRTMIN else number


def _hung(runner: Runner) -> Event:
    return events.UnitHung(runner.name, runner.main, _microseconds(runner.watchdog))


def _stopping(runner: Runner) -> Event:
    return events.UnitStopping(runner.name, runner.main)


def _restarting(runner: Runner) -> Event:
    return events.UnitRestarting(runner.name, runner.machine.restarts + 1, _microseconds(runner.unit.restart_sec))


def _stopped(runner: Runner) -> Event:
    return events.UnitStopped(runner.name)


def _failed(runner: Runner) -> Event:
    policy = runner.unit.policy
    if runner.machine.result == "start-limit-hit":
        span = f"{policy.limit_interval:g} s"
        return events.UnitFailed(
            runner.name, f"started more than {policy.limit_burst} times in {span} (StartLimitBurst=)"
        )
    return events.UnitFailed(runner.name, _why(runner))


_TELLERS = {
    Action.SAY_READY: _ready,
    Action.SAY_EXITED: _exited,
    Action.SAY_HUNG: _hung,
    Action.SAY_STOPPING: _stopping,
    Action.SAY_RESTARTING: _restarting,
    Action.SAY_STOPPED: _stopped,
    Action.SAY_FAILED: _failed,
}
