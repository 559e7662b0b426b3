"""What clients may have done to units: each verb says of each unit what came of it, or why it is refused."""

from __future__ import annotations

from hafta.control import wire
from hafta.errors import HaftaError
from hafta.overlord.control.look import load_state
from hafta.overlord.control.properties import active_state, can_reload
from hafta.overlord.table import RESTING, State
from hafta.process.table import kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.control.host import Host
    from hafta.overlord.control.jobs import Job, Jobs
    from hafta.overlord.control.look import Look
    from hafta.overlord.director import Director
    from hafta.overlord.runner import Runner

_UP = frozenset(("active", "reloading", "activating"))
REFUSALS = {"not-found": wire.NO_SUCH_UNIT, "masked": wire.MASKED, "bad-setting": wire.BAD_SETTING}


def _require_manual(refuses: bool, unit: str, directive: str) -> None:
    """Raise Fault where a unit refuses to be started or stopped by request."""
    if refuses:
        message = f"operation refused, unit {unit} may be requested by dependency only ({directive}=yes)"
        raise wire.Fault(wire.FAILED, unit=unit, message=message)


class Verbs:
    """Carries verbs out, each for one unit at a time. `held` are the units that have been stopped here."""

    def __init__(self, manager: Director, jobs: Jobs, held: set[str], host: Host) -> None:
        self._held = held
        self._manager = manager
        self._jobs = jobs
        self._host = host
        self._verbs: dict[str, Callable[[Look, str], Job | None]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "try-restart": lambda look, name: self._restart(look, name, only_up=True),
            "reload": self._reload,
            "reload-or-restart": self._reload_or_restart,
            "try-reload-or-restart": lambda look, name: self._reload_or_restart(look, name, only_up=True),
        }

    def do(self, verb: str, look: Look, name: str) -> Job | wire.Fault | None:
        """Do it; return the job that has begun, None if there is nothing to do, or why it is refused."""
        try:
            return self._verbs[verb](look, name)
        except wire.Fault as fault:
            return fault
        except HaftaError as error:
            return wire.Fault(wire.FAILED, unit=look.full(name), message=f"{error}; {error.hint}")
        except OSError as error:
            return wire.Fault(wire.FAILED, unit=look.full(name), message=str(error))

    def knows(self, verb: str) -> bool:
        """Tell whether there is such a verb."""
        return verb in self._verbs

    def _found(self, look: Look, name: str) -> Runner:
        """Return a unit that is run, or that could be. Raises Fault."""
        try:
            return look.find(name)
        except HaftaError as error:
            state = load_state(error)
            message = f"{error.message}; {error.hint}" if state == "bad-setting" else error.message
            raise wire.Fault(REFUSALS[state], unit=look.full(name), message=message) from error

    def _start(self, look: Look, name: str) -> Job:
        runner = self._found(look, name)
        _require_manual(runner.unit.refuse_manual_start, runner.name, "RefuseManualStart")
        self._take_in(runner)
        self._held.discard(runner.name)
        job = self._jobs.add(runner.name, "start")
        self._manager.start(runner.name)
        return job

    def _take_in(self, runner: Runner) -> None:
        """Have all that a unit pulls in be run here, too. Raises HaftaError."""
        known = self._manager.runners
        if runner.name in known and all(name in known for name in self._manager.latest(runner.name).needs.pulled):
            return
        self._host.take_in(runner.name)

    def _stop(self, look: Look, name: str) -> Job | None:
        runner = look.find_running(name)
        if runner is None:
            try:
                look.find(name)
            except HaftaError as error:
                if load_state(error) == "not-found":
                    raise wire.Fault(wire.NOT_LOADED, unit=look.full(name), message=error.message) from error
            return None
        _require_manual(runner.unit.refuse_manual_stop, runner.name, "RefuseManualStop")
        if runner.state not in {State.INACTIVE, State.FAILED}:  # else it has ended by itself
            self._held.add(runner.name)
        job = self._jobs.add(runner.name, "stop")
        self._manager.stop(runner.name)
        return job

    def _restart(self, look: Look, name: str, *, only_up: bool = False) -> Job | None:
        runner = self._found(look, name)
        if active_state(runner) not in _UP or runner.state is State.AUTO_RESTART:
            return None if only_up else self._start(look, name)
        _require_manual(runner.unit.refuse_manual_start, runner.name, "RefuseManualStart")
        _require_manual(runner.unit.refuse_manual_stop, runner.name, "RefuseManualStop")
        self._held.discard(runner.name)
        job = self._jobs.add(runner.name, "restart")
        self._manager.restart(runner.name)
        return job

    def _reload(self, look: Look, name: str) -> Job:
        runner = self._found(look, name)
        if not can_reload(runner.unit):
            raise wire.Fault(wire.NOT_APPLICABLE, unit=runner.name, message="the unit has no reload")
        if active_state(runner) not in {"active", "reloading"}:
            raise wire.Fault(wire.INACTIVE, unit=runner.name, message=f"{runner.name} is not active")
        if active_state(runner) == "active" and (why := self._manager.reload(runner.name)):
            raise wire.Fault(wire.FAILED, unit=runner.name, message=why)
        return self._jobs.add(runner.name, "reload")

    def _reload_or_restart(self, look: Look, name: str, *, only_up: bool = False) -> Job | None:
        runner = self._found(look, name)
        if active_state(runner) in {"active", "reloading"} and can_reload(runner.unit):
            return self._reload(look, name)
        return self._restart(look, name, only_up=only_up)

    def kill(self, look: Look, name: str, signum: int, whom: str) -> None:
        """Send a signal to the processes of a unit. Raises Fault."""
        runner = look.find_running(name)
        if runner is None or (runner.state in RESTING and runner.state is not State.FAILED):
            raise wire.Fault(wire.NOT_LOADED, unit=look.full(name), message="the unit is not running")
        if whom == "main" and not runner.main:
            raise wire.Fault(wire.FAILED, unit=runner.name, message="No main process to kill")
        for pid in self._host.members(runner.name) if whom == "all" else [runner.main]:
            kill(pid, signum)

    def reset_failed(self, look: Look, name: str) -> None:
        """Forget that a unit has failed. Raises Fault."""
        runner = look.find_running(name)
        if runner is None:
            raise wire.Fault(wire.NOT_LOADED, unit=look.full(name), message="the unit is not loaded")
        self._manager.reset_failed(runner.name)
