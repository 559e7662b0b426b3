"""Who waits for whom: the order of starts and stops, and what a unit's end means for others. No I/O.

Rules, as systemd.unit(5) has them, among the units that are run:
1. A unit waits with its start until all that it is After= have finished theirs: up, or failed, or done.
2. What it requires (Requires=, BindsTo=) and is After= must be up, or its own start fails. While that one is being
   restarted the unit goes on waiting; here we differ from systemd, which gives up at the first failure.
   A oneshot that is done, and a unit whose conditions were not met, will do as well; but not for BindsTo=.
   What it names in Requisite= must be up already: nothing waits for it, unless it is to be started, too.
3. Stops go in the reverse order: a unit waits until all that are After= it rest.
4. A unit that is restarted, or stopped, takes along those that require it, are bound to it, or are a part of it, and
   these theirs. Restarted are only those that are up: one that has begun to end does not come back.
5. A unit that rests for good stops those that are bound to it.
6. A target is After= all that it pulls in, unless that says otherwise or DefaultDependencies=no.
7. There is no cycle: cycles.py has broken it, or refused the units.
"""

from __future__ import annotations

from hafta.overlord.cycles import relations
from hafta.overlord.relations import Relations
from hafta.overlord.table import ENDING, STARTING, UP, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from typing import Protocol

    from hafta.units.unit import Needs, Unit

    class States(Protocol):
        """The states of units by name: a mapping, or what looks them up."""

        def get(self, name: str, /) -> State | None:
            """Return a unit's state; None for one that does not matter."""


NOW = "now"
LATER = "later"
_UP = STARTING | UP
_LIVE = frozenset(State) - {State.INACTIVE, State.FAILED}


class Order:
    """The relations of a set of units without a cycle."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self._units = dict(units)
        self.after = relations(units)
        #: The other way round: who is After= each.
        self.before: dict[str, list[str]] = {name: [] for name in units}
        for name, others in self.after.items():
            for other in others:
                self.before[other].append(name)
        self.sequence = self._sorted()
        self._after = {name: sorted(others) for name, others in self.after.items()}
        self._required = {
            name: {other for other in unit.needs.required if other in units} for name, unit in units.items()
        }
        self._dependents = self._reverse(lambda needs: (*needs.required, *needs.requisite, *needs.part_of))
        self._triggering = self._reverse(lambda needs: needs.triggers)
        self._bound = self._reverse(lambda needs: needs.binds_to)
        self.relations = Relations(self._units)

    def _reverse(self, names: Callable[[Needs], Sequence[str]]) -> dict[str, list[str]]:
        """Return for each unit those that name it."""
        found: dict[str, list[str]] = {}
        for name, unit in self._units.items():
            for other in dict.fromkeys(names(unit.needs)):
                found.setdefault(other, []).append(name)
        return found

    def _sorted(self) -> list[str]:
        """Return the names so that each comes behind all that it is after."""
        left = {name: len(others) for name, others in self.after.items()}
        found: list[str] = []
        free = [name for name in self._units if not left[name]]
        while free:
            found += free
            for name in free:
                for other in self.before[name]:
                    left[other] -= 1
            below = dict.fromkeys(other for name in free for other in self.before[name])
            free = [other for other in below if not left[other]]
        return found

    def may_start(self, name: str, waiting: Container[str], states: States, done: Container[str]) -> str:
        """Return NOW, LATER, or the name of the unit without which it cannot start (rules 1 and 2)."""
        required = self.required(name)
        for other in self._after[name]:
            state = states.get(other)
            if other in waiting or state in STARTING:
                return LATER
            if other in required:
                if state in ENDING or state is State.AUTO_RESTART:
                    return LATER
                if state not in UP and (other not in done or other in self._units[name].needs.binds_to):
                    return other
        return self._requisite(name, waiting, states)

    def _requisite(self, name: str, waiting: Container[str], states: States) -> str:
        for other in self._units[name].needs.requisite:
            if other not in waiting and states.get(other) not in _UP:
                return other
        return NOW

    def required(self, name: str) -> set[str]:
        """Return the units without which one cannot start."""
        return self._required[name]

    def may_stop(self, name: str, states: States) -> bool:
        """Rule 3, among those that are to stop: `states` has these."""
        return not any(states.get(other) in _LIVE for other in self.before[name])

    def dependents(self, name: str) -> list[str]:
        """Rule 4."""
        return self._dependents.get(name, [])

    def bound_to(self, name: str) -> list[str]:
        """Rule 5."""
        return self._bound.get(name, [])

    def triggering(self, name: str) -> list[str]:
        """Return the sockets that start a service."""
        return self._triggering.get(name, [])

    def admit(self, unit: Unit) -> None:
        """Know one more unit, which nobody else names: what it is after and requires, of those that are known."""
        name, needs = unit.name, unit.needs
        self._units[name] = unit
        after = {other for other in needs.after if other in self.before}
        for other in after:
            self.before[other].append(name)
        self.before[name], self.after[name], self._after[name] = [], after, sorted(after)
        self._required[name] = {other for other in needs.required if other in self.before}
        for other in {*needs.required, *needs.requisite, *needs.part_of}:
            self._dependents.setdefault(other, []).append(name)
        for other in set(needs.binds_to):
            self._bound.setdefault(other, []).append(name)

    def forget(self, unit: Unit) -> None:
        """Forget a unit that was admitted."""
        name, needs = unit.name, unit.needs
        for other in self.after.pop(name):
            self.before[other].remove(name)
        for other in self.before[name]:  # it may be Before= another
            self.after[other].discard(name)
            self._after[other].remove(name)
        del self.before[name], self._after[name], self._required[name], self._units[name]
        for other in {*needs.required, *needs.requisite, *needs.part_of}:
            self._dependents[other].remove(name)
        for other in set(needs.binds_to):
            self._bound[other].remove(name)

    def near(self, name: str) -> Iterator[str]:
        """Give a unit and those whose turn may come by what happens to it: the ones before it and behind it."""
        yield name
        yield from self.before[name]
        yield from self.after[name]
        yield from self.relations.conflicting(name)
