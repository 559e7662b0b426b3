"""Who waits for whom: the order of starts and stops, and what a unit's end means for others. No I/O.

Rules, as systemd.unit(5) has them, among the units that are run:
1. A unit waits with its start until all that it is After= have finished theirs: up, or failed, or done.
2. What it requires (Requires=, BindsTo=) and is After= must be up, or its own start fails. While that one is being
   restarted the unit goes on waiting; here we differ from systemd, which gives up at the first failure.
3. Stops go in the reverse order: a unit waits until all that are After= it rest.
4. A unit that is restarted, or stopped, takes along those that require it, are bound to it, or are a part of it, and
   these theirs. Restarted are only those that are up: one that has begun to end does not come back.
5. A unit that rests for good stops those that are bound to it.
6. A target is After= all that it pulls in, unless that says otherwise or DefaultDependencies=no.
7. A cycle of After= is an error: there is no order that it allows.
"""

from __future__ import annotations

from hafta.overlord.table import ENDING, State
from hafta.systemd.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hafta.overlord.unit import Unit

NOW = "now"
LATER = "later"
_LIVE = frozenset(State) - {State.INACTIVE, State.FAILED}


class Order:
    """The relations of a set of units. Raises UnitError for a cycle."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self._units = units
        self.after = {name: {other for other in unit.needs.after if other in units} for name, unit in units.items()}
        for name, unit in units.items():
            for other in unit.needs.before:
                if other in units:
                    self.after[other].add(name)
        for name, unit in units.items():
            if not unit.is_service and unit.default_dependencies:
                self.after[name] |= {other for other in unit.needs.pulled if self._may_precede(other, name)}
        self.sequence = self._sorted()

    def _may_precede(self, other: str, target: str) -> bool:
        return other in self._units and target not in self.after[other]

    def _sorted(self) -> list[str]:
        """Return the names so that each comes behind all that it is after."""
        found: list[str] = []
        while len(found) < len(self._units):
            free = [name for name in self._units if name not in found and self.after[name] <= set(found)]
            if not free:
                raise self._cycle(found)
            found += free
        return found

    def _cycle(self, placed: Collection[str]) -> UnitError:
        name = next(name for name in self._units if name not in placed)
        walked: list[str] = []
        while name not in walked:
            walked.append(name)
            name = next(other for other in sorted(self.after[name]) if other not in placed)
        circle = " after ".join((*walked[walked.index(name) :], name))
        return UnitError(f"ordering cycle: {circle}", "remove one After= or Before= of these units")

    def may_start(self, name: str, waiting: Collection[str], states: Mapping[str, State], done: Collection[str]) -> str:
        """Return NOW, LATER, or the name of the unit without which it cannot start (rules 1 and 2)."""
        required = self.required(name)
        for other in sorted(self.after[name]):
            state = states[other]
            if other in waiting or state is State.ACTIVATING:
                return LATER
            if other in required:
                if state in ENDING or state is State.AUTO_RESTART:
                    return LATER
                if state is not State.ACTIVE and other not in done:
                    return other
        return NOW

    def required(self, name: str) -> set[str]:
        """Return the units without which one cannot start."""
        return {other for other in self._units[name].needs.required if other in self._units}

    def may_stop(self, name: str, states: Mapping[str, State]) -> bool:
        """Rule 3, among those that are to stop: `states` has these."""
        return not any(name in self.after[other] and state in _LIVE for other, state in states.items())

    def dependents(self, name: str) -> list[str]:
        """Rule 4."""
        return [
            other for other, unit in self._units.items() if name in unit.needs.required or name in unit.needs.part_of
        ]

    def bound_to(self, name: str) -> list[str]:
        """Rule 5."""
        return [other for other, unit in self._units.items() if name in unit.needs.binds_to]
