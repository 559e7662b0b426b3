"""What stands behind the control socket: looks at units, and has the manager do what is asked."""

from __future__ import annotations

import os

from hafta.overlord.control.jobs import Jobs
from hafta.overlord.table import State
from hafta.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.journal.event import Event
    from hafta.overlord.control.host import Host
    from hafta.overlord.control.look import Look
    from hafta.overlord.control.verbs import Verbs
    from hafta.overlord.director import Director
    from hafta.overlord.plan import Plan
    from hafta.process.loop import Loop


class Desk:
    """Answers what clients of the control socket ask.

    `held` are the units that somebody has stopped here: as long as there is one, the overlord stays, also without a
    unit that runs.
    """

    def __init__(self, manager: Director, plan: Plan, loop: Loop, host: Host) -> None:
        self.jobs = Jobs(manager)
        self.held: set[str] = set()
        self._manager = manager
        self._plan = plan
        self._loop = loop
        self._host = host
        self._verbs: Verbs | None = None
        self._begun = False  # whether all that was to start at the beginning has had its turn

    def settled(self) -> None:
        """Look at where the units stand after a turn of the loop."""
        self._begun = self._begun or not self._manager.is_starting
        if self._manager.stopping:
            self.jobs.cancel_all()
        self.jobs.look()

    @property
    def keeps(self) -> bool:
        """Whether the overlord is to stay though nothing runs: what was stopped here may be started here again."""
        return bool(self.held) and not self._manager.stopping

    def note(self, text: str) -> None:
        """Say who has asked for what."""
        self._host.note(text)

    def report(self, event: Event) -> None:
        """Report an event."""
        self._host.report(event)

    @property
    def verbs(self) -> Verbs:
        """What clients may have done."""
        if self._verbs is None:
            from hafta.overlord.control.verbs import Verbs

            self._verbs = Verbs(self._manager, self.jobs, self.held, self._host)
        return self._verbs

    def reread(self, ended: Callable[[list[str], list[str]], None]) -> None:
        """Read all units again, and call back at the end."""
        from hafta.overlord.control.rereading import Rereading

        Rereading(self._manager, self._plan, self._loop, self._host).begin(ended)

    def describe(self) -> dict[str, Any]:
        """Return the properties of the overlord itself."""
        runners = self._manager.runners.values()
        failed = sum(runner.state is State.FAILED for runner in runners)
        state = "degraded" if failed else "running" if self._begun else "starting"
        return {
            "Version": VERSION,
            "PID": os.getpid(),
            "SystemState": "stopping" if self._manager.stopping else state,
            "NNames": len(runners),
            "NFailedUnits": failed,
            "NJobs": self.jobs.count,
            "UnitPath": list(self._plan.reading.path),
            "Units": sorted(self._manager.runners),
        }

    def names(self) -> list[str]:
        """Return the names of all units that are run."""
        return sorted(self._manager.runners)

    def look(self) -> Look:
        """Return a look at units."""
        from hafta.overlord.control.look import Look

        return Look(self._manager.runners, self._plan, self._host.make)

    def properties(self, look: Look, name: str, wanted: frozenset[str]) -> dict[str, Any]:
        """Return the properties of a unit."""
        return look.properties(name, wanted, self._manager, self._loop)
