"""The verbs of `hafta ctl` that change something: what they ask for, and what systemctl would say of the outcome."""

from __future__ import annotations

import json

from hafta.control import options, wire
from hafta.control.spoken import complain, say
from hafta.errors import UsageError
from hafta.journal.entry import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hafta.control.asking import Asking
    from hafta.settings import Values

    Outcome = dict[str, Any]

#: Why a start or a reload has failed, by the Result of the unit.
_WHY = {
    "resources": "of unavailable resources or another system error",
    "protocol": "the service did not take the steps required by its unit configuration",
    "timeout": "a timeout was exceeded",
    "exit-code": "the control process exited with error code",
    "signal": "a fatal signal was delivered to the control process",
    "core-dump": "a fatal signal was delivered causing the control process to dump core",
    "watchdog": "the service failed to send watchdog ping",
    "start-limit-hit": "start of the service was attempted too often",
}
_STATUSES = {
    wire.NO_SUCH_UNIT: options.NOT_LOADED,
    wire.NOT_LOADED: options.NOT_LOADED,
    wire.NOT_APPLICABLE: options.NOT_RUNNING,
}


def start(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Start units."""
    return _do(asking, values, units, "start")


def stop(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Stop units."""
    return _do(asking, values, units, "stop")


def restart(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Stop units and start them again; start those that rest."""
    return _do(asking, values, units, "restart")


def try_restart(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Restart units that are up."""
    return _do(asking, values, units, "try-restart")


def reload(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Have units read their configuration again."""
    return _do(asking, values, units, "reload")


def reload_or_restart(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Reload units that can be, restart others."""
    return _do(asking, values, units, "reload-or-restart")


def try_reload_or_restart(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Reload or restart units that are up."""
    return _do(asking, values, units, "try-reload-or-restart")


def _do(asking: Asking, values: Values, units: Sequence[str], verb: str) -> int:
    wait = not values.no_block
    answer = asking.ask("Do", {"verb": verb, "units": list(units), "wait": wait}, patience=None if wait else 60.0)
    return _report(answer["jobs"], values, lambda name: f"Failed to {verb} {name}")


def kill(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Send a signal to the processes of units."""
    whom = values.kill_who or values.kill_whom
    if whom not in {"all", "main"}:
        raise UsageError(f"--kill-whom: {whom!r} is not all or main", "name whom the signal is for")
    parameters = {"units": list(units), "signal": _signal(values.signal), "whom": whom}
    answer = asking.ask("Kill", parameters)
    return _report(answer["jobs"], values, lambda name: f"Failed to kill unit {name}", failed=options.FAILED)


def reset_failed(asking: Asking, values: Values, units: Sequence[str]) -> int:
    """Forget that units have failed."""
    answer = asking.ask("ResetFailed", {"units": list(units)} if units else {})
    words = "Failed to reset failed state of unit"
    return _report(answer["jobs"], values, lambda name: f"{words} {name}", failed=options.FAILED)


def daemon_reload(asking: Asking, values: Values, _units: Sequence[str]) -> int:
    """Have the overlord read all unit files again."""
    answer = asking.ask("Reread", {}, patience=None)
    if values.json:
        say(json.dumps(answer, indent=2))
    for problem in answer["problems"]:
        complain(printable(str(problem)))
    return options.FAILED if answer["problems"] else options.OK


def _signal(text: str) -> int:
    import signal

    if text.isdigit() and int(text) in signal.valid_signals():
        return int(text)
    name = text.upper() if text.upper().startswith("SIG") else f"SIG{text.upper()}"
    if name in signal.Signals.__members__:
        return int(signal.Signals[name])
    raise UsageError(f"--signal: {text!r} is not a signal", "name one, such as SIGHUP or HUP, or give its number")


def _report(outcomes: Sequence[Outcome], values: Values, failed_to: Any, failed: int | None = None) -> int:
    """Say what went wrong, and return the exit status: that of the last thing that did."""
    if values.json:
        say(json.dumps(outcomes, indent=2))
    status = options.OK
    for outcome in outcomes:
        if "error" in outcome:
            status = failed or _STATUSES.get(outcome["error"], options.FAILED)
            complain(_refusal(outcome, failed_to))
        elif text := _failure(outcome):
            status = options.FAILED
            complain(text)
    return status


def _refusal(outcome: Outcome, failed_to: Any) -> str:
    unit = printable(str(outcome.get("unit", "")))
    if outcome["error"] == wire.INACTIVE:
        return f"{unit} is not active, cannot reload."
    why = {
        wire.NO_SUCH_UNIT: f"Unit {unit} not found.",
        wire.NOT_LOADED: f"Unit {unit} not loaded.",
        wire.MASKED: f"Unit {unit} is masked.",
        wire.NOT_APPLICABLE: f"Job type reload is not applicable for unit {unit}.",
        wire.BAD_SETTING: f"Unit {unit} has a bad unit file setting.\n{printable(str(outcome.get('message', '')))}",
    }.get(outcome["error"], printable(str(outcome.get("message") or outcome["error"])))
    return f"{failed_to(unit)}: {why}"


def _failure(outcome: Outcome) -> str:
    """Return what systemctl says of a job that ended badly; empty if it did not."""
    unit, result, why = (printable(str(outcome.get(key, ""))) for key in ("unit", "result", "why"))
    if result in {"done", "queued"}:
        return ""
    if result == "canceled":
        return f"Job for {unit} canceled."
    if result == "dependency":
        return f"A dependency job for {unit} failed. See what the overlord has written for details."
    if result == "assert":
        return f"Assertion failed on job for {unit}."
    because = f" because {_WHY[why]}" if why in _WHY else ""
    text = f'Job for {unit} failed{because}.\nSee "hafta ctl status {unit}" and what the overlord has written.'
    if why == "start-limit-hit":
        text += f'\nTo force a start use "hafta ctl reset-failed {unit}"\nfollowed by "hafta ctl start {unit}" again.'
    return text
