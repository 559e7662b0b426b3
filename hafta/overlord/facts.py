"""What systemd's entries say of an event, besides the event's own fields: so one reader knows the entries of both.

The overlord writes one entry where systemd writes several (an end, the failure of a start, a restart); its fields say
which: hafta/observe/embedded.py takes it apart again.

    COMMAND      of which directive a process was that has ended
    UNIT_RESULT  what the end of a run counts as (systemd.exec(5), $SERVICE_RESULT)
    JOB_TYPE     `stop` if it was asked to stop, `restart` if it then starts again
    JOB_RESULT   `failed` if the run had never been up, `dependency` or `assert` if it was not even begun, `canceled` if
                 it was stopped before it was up
    N_RESTARTS   which restart it is
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.journal import overlord_events as events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hafta.journal.overlord_events import UnitEvent
    from hafta.overlord.machine import Machine

NOT_BEGUN = {"start-limit-hit": "failed", "dependency": "dependency", "assert": "assert"}


class _Case(Frozen):
    """What is known when an event is reported: the result of the run, what was asked for, what it had been."""

    result: str
    asked: Mapping[str, str]  # JOB_TYPE
    was_up: bool

    @property
    def failed(self) -> Mapping[str, str]:
        """JOB_RESULT of a run that ends."""
        return {} if self.was_up or self.result == "success" else {"JOB_RESULT": "failed"}


class Facts:
    """Finds them, and remembers which run of each unit was up."""

    def __init__(self) -> None:
        self._up: dict[str, str] = {}

    def of(self, event: UnitEvent, run: str, machine: Machine, *, again: bool) -> dict[str, str]:
        """Return the fields. `again`: whether the unit starts again when it has stopped, as it was asked to."""
        if isinstance(event, events.UnitReady):
            self._up[event.unit] = run
        asked = {"JOB_TYPE": "restart" if again else "stop"} if machine.stop_asked else {}
        case = _Case(machine.result, asked, was_up=bool(run) and self._up.get(event.unit) == run)
        if isinstance(event, (events.UnitStopped, events.UnitFailed)):
            self._up.pop(event.unit, None)
        find = _FACTS.get(type(event))
        return find(event, case) if find else {}


def _exited(_event: Any, case: _Case) -> dict[str, str]:
    canceled = {"JOB_RESULT": "canceled"} if case.asked and not case.was_up else {}
    return {"COMMAND": "ExecStart", "UNIT_RESULT": case.result, **case.asked, **canceled}


def _failed(_event: Any, case: _Case) -> dict[str, str]:
    begun = NOT_BEGUN.get(case.result)
    return {"UNIT_RESULT": case.result, **({"JOB_RESULT": begun} if begun else {**case.asked, **case.failed})}


def _command(event: Any, _case: _Case) -> dict[str, str]:
    return {
        "COMMAND": event.directive.removesuffix("="),
        "EXIT_CODE": "killed" if event.signal else "exited",
        "EXIT_STATUS": str(int(event.signal or event.status or 0)),
    }


_FACTS: dict[type[UnitEvent], Callable[[Any, _Case], dict[str, str]]] = {
    events.UnitReady: lambda _, __: {"JOB_TYPE": "start", "JOB_RESULT": "done"},
    events.UnitExited: _exited,
    events.CommandFailed: _command,
    events.UnitStopping: lambda _, case: {"JOB_TYPE": "stop", **({} if case.was_up else {"JOB_RESULT": "canceled"})},
    events.UnitStopped: lambda _, case: {**case.asked, "JOB_RESULT": "done"},
    events.UnitRestarting: lambda event, case: {
        "N_RESTARTS": str(event.attempt), "UNIT_RESULT": case.result, **case.failed,
    },
    events.UnitFailed: _failed,
}  # fmt: skip
