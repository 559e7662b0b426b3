"""Carries out what relations.py says: has units start and stop because of what happens to others."""

from __future__ import annotations

from hafta.journal.overlord_events import RelationFollowed
from hafta.overlord.relations import monitored
from hafta.overlord.standing import AT_REST
from hafta.overlord.table import RESTING, UP, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from hafta.journal.event import Event as JournalEvent
    from hafta.overlord.history import History
    from hafta.overlord.relations import Relations
    from hafta.overlord.runner import Runner
    from hafta.overlord.standing import Standing

    class Manager(Protocol):
        """What is asked of the manager."""

        runners: dict[str, Runner]
        history: History

        def trigger(self, service: str) -> None:
            """Have a unit start, with what it pulls in."""


class Following:
    """Looks at where units stand, and asks for starts and stops."""

    def __init__(
        self,
        manager: Manager,
        relations: Relations,
        standing: Standing,
        report: Callable[[JournalEvent], None],
        leave: Callable[[str], None],
    ) -> None:
        self._manager = manager
        self._relations = relations
        self._standing = standing
        self._report = report
        self._leave = leave

    def relate(self, relations: Relations) -> None:
        """Look at other relations from now on: units have come, or their files have changed."""
        self._relations = relations

    @property
    def _runners(self) -> Mapping[str, Runner]:
        return self._manager.runners

    def displace(self, name: str) -> None:
        """Stop what is in conflict with a unit that is to start."""
        for other in self._relations.conflicting(name):
            if self._runners[other].state not in AT_REST or other in self._standing:
                self._report(RelationFollowed(other, "stops", "Conflicts", name))
                self._leave(other)

    def is_up(self, name: str) -> None:
        """Start what a unit upholds; let it go again if nobody needs it."""
        for other in self._relations.upheld(name):
            self._draw(other, "Upholds", name)
        self._let_go(name)

    def rests(self, runner: Runner, before: State) -> None:
        """Start what is to follow the end of a unit, and let go what only it has needed."""
        name, failed = runner.name, runner.state is State.FAILED
        if failed or before not in RESTING:
            self._handle(runner, failed=failed)
        for other in self._relations.upholders(name):
            if self._runners[other].state in UP and other not in self._standing.leaving:
                self._draw(name, "Upholds", other)
        for other in self._relations.unneeded_after(name):
            self._let_go(other)

    def _handle(self, runner: Runner, *, failed: bool) -> None:
        history, machine = self._manager.history, runner.machine
        for handler in self._relations.handlers(runner.name, failed=failed):
            end = monitored(runner.name, machine.result, machine.outcome, history.of(runner.name).invocation)
            history.of(handler).monitored = end
            self._draw(handler, "OnFailure" if failed else "OnSuccess", runner.name)

    def _draw(self, name: str, directive: str, by: str) -> None:
        """Have a unit start because of another one; nothing if it is up or on its way."""
        if self._runners[name].state in AT_REST and name not in self._standing:
            self._report(RelationFollowed(name, "starts", directive, by))
            self._manager.trigger(name)

    def _let_go(self, name: str) -> None:
        """Stop a unit with StopWhenUnneeded= that nobody needs."""
        runner, standing = self._runners[name], self._standing
        if not runner.unit.stop_when_unneeded or runner.state in AT_REST or name in standing.leaving:
            return
        needing = self._relations.pulling(name)
        if not any(self._runners[other].state not in AT_REST or other in standing.waiting for other in needing):
            self._report(RelationFollowed(name, "stops", "StopWhenUnneeded", name))
            self._leave(name)
