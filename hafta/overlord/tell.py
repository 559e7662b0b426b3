"""What a unit's actions report: one event each (hafta.journal.overlord_events)."""

from __future__ import annotations

import signal

from hafta.journal import overlord_events as events
from hafta.journal.event import show_duration
from hafta.overlord.commands import DIRECTIVES, directive
from hafta.overlord.table import PHASES, STARTING, UP, Action, State
from hafta.units.unit import INFINITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.journal.event import Event
    from hafta.overlord.runner import Runner
    from hafta.units.restart import Outcome

_NAMED = {int(each): each for each in signal.Signals if each < signal.SIGRTMIN}
FOREVER = 1e12  # seconds: as good as infinity, and a number
_NOT_READY = {
    "notify": "no READY=1",
    "notify-reload": "no READY=1",
    "forking": "it did not go to the background",
    "exec": "its program did not begin",
    "oneshot": "its work was not done",
}
_REASONS = {
    "watchdog": "the watchdog ran out",
    "protocol": "it ended before it was ready",
    "resources": "it could not be started",
    "dependency": "what it requires is not up",
    "exit-code": "{who} failed",
    "signal": "{who} was killed",
    "core-dump": "{who} crashed",
}


def tell(runner: Runner, action: Action) -> Event | None:
    """Return the event that an action reports; None for a target, which has no process to speak of."""
    return _TELLERS[action](runner) if runner.unit.is_service else None


def _microseconds(seconds: float) -> int:
    return round(min(seconds, FOREVER) * 1_000_000)


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
        # Other results say no more than the status or the signal, which is shown anyway.
        reason=_why(runner, runner.machine.result in {"timeout", "watchdog", "protocol"}) or None,
        dumped=outcome.dumped or None,
    )


def _why(runner: Runner, has_reason: bool = True) -> str:
    """Return the reason of a failure, if it is to be told, and what the unit or the kernel has said of it."""
    result, cause = runner.machine.result, runner.machine.cause
    if result == "timeout":
        reason = too_late(runner, cause)
    else:
        reason = _REASONS.get(result, result).format(who=_who(runner, cause))
    return ": ".join(filter(None, (reason if has_reason else "", runner.trouble)))


def _who(runner: Runner, cause: State | None) -> str:
    """Return whose failure it was."""
    forks = cause is State.START and runner.unit.policy.type == "forking"
    phase = "start" if forks else PHASES.get(cause, "") if cause else ""
    return f"a command of {DIRECTIVES[phase]}" if phase and runner.failed_phase == phase else "its main process"


def too_late(runner: Runner, cause: State | None) -> str:
    """Say what was not done in time: `cause` is the state in which that was seen."""
    unit = runner.unit
    limit, name = unit.timeout_start, "TimeoutStartSec="
    if cause is State.START:
        what = _NOT_READY.get(unit.policy.type, "it was not up")
    elif cause in {State.RELOAD_SIGNAL, State.RELOAD_NOTIFY}:
        what = "it did not say that it has reloaded"
    elif cause in PHASES:
        what = f"{DIRECTIVES[PHASES[cause]]} did not end"
    else:
        what = "it did not end"
    if cause not in {*STARTING, *UP}:
        limit, name = unit.timeout_stop, "TimeoutStopSec="
    return f"{what} within {show_duration(_microseconds(limit))} ({name})"


def _signal(number: int) -> int:
    return _NAMED.get(number, number)


def _hung(runner: Runner) -> Event:
    return events.UnitHung(runner.name, runner.main, _microseconds(runner.watchdog))


def _stopping(runner: Runner) -> Event:
    return events.UnitStopping(runner.name, runner.main)


def _restarting(runner: Runner) -> Event:
    return events.UnitRestarting(runner.name, runner.machine.restarts + 1, _microseconds(runner.restart_delay))


def _reloaded(runner: Runner) -> Event:
    result = runner.machine.reload_result
    if result == "success":
        return events.UnitReloaded(runner.name)
    what = "it was not reloaded in time (TimeoutStartSec=)" if result == "timeout" else "ExecReload= failed"
    return events.UnitReloadFailed(runner.name, ": ".join(filter(None, (what, runner.trouble))))


def _stopped(runner: Runner) -> Event:
    if runner.machine.result == "exec-condition":
        return events.UnitSkipped(runner.name, "ExecCondition= says so")
    return events.UnitStopped(runner.name)


def command_failed(runner: Runner, phase: str, pid: int, outcome: Outcome) -> Event:
    """Return the event of a command of the control process that failed."""
    return events.CommandFailed(
        runner.name,
        directive(runner.unit, phase),
        pid,
        status=None if outcome.signal else outcome.code,
        signal=_signal(outcome.signal) if outcome.signal else None,
        reason=runner.trouble or None,
    )


def why_failed(runner: Runner) -> str:
    """Return why a service has failed."""
    policy = runner.unit.policy
    if runner.machine.result == "start-limit-hit":
        span = f" in {policy.limit_interval:g} s" if policy.limit_interval < INFINITE else ""
        return f"started more than {policy.limit_burst} times{span} (StartLimitBurst=)"
    return _why(runner)


def _failed(runner: Runner) -> Event:
    return events.UnitFailed(runner.name, why_failed(runner))


_TELLERS = {
    Action.SAY_READY: _ready,
    Action.SAY_EXITED: _exited,
    Action.SAY_HUNG: _hung,
    Action.SAY_RELOADED: _reloaded,
    Action.SAY_STOPPING: _stopping,
    Action.SAY_RESTARTING: _restarting,
    Action.SAY_STOPPED: _stopped,
    Action.SAY_FAILED: _failed,
}
