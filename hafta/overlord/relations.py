"""What the start, the end or the failure of a unit asks of others, besides the order (order.py). No I/O.

Rules, as systemd.unit(5) has them, among the units that are run:
1. A unit that starts stops those with which it is in conflict, whichever of the two says so, and starts when they rest.
2. What it upholds (Upholds=) is started again whenever it rests, as long as the unit itself is up.
3. A unit that has failed for good starts what OnFailure= names; one that has ended well, what OnSuccess= names. These
   get the first one's end in $MONITOR_...
4. A unit that stops, or ends, stops what it names in PropagatesStopTo=, and what names it in StopPropagatedFrom=.
5. A unit with StopWhenUnneeded= stops when none of those that pull it in is up, or is to be started.
6. A reload of a unit reloads what it names in PropagatesReloadTo=, and what names it in ReloadPropagatedFrom=, if up.
While the overlord stops, nothing is started any more.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafta.units.restart import Outcome
    from hafta.units.unit import Needs, Unit


class Relations:
    """The relations of a set of units, to which one may be added that no other one names."""

    def __init__(self, units: Mapping[str, Unit]) -> None:
        self._units = units
        self._conflicts = self._both(lambda needs: needs.conflicts, lambda needs: needs.conflicts)
        self._stops = self._both(lambda needs: needs.stops, lambda needs: needs.stopped_by)
        self._reloads = self._both(lambda needs: needs.reloads, lambda needs: needs.reloaded_by)
        self._upholders = self._both(lambda _: (), lambda needs: needs.upholds)
        self._pulling = self._both(lambda _: (), lambda needs: (*needs.pulled, *needs.requisite))

    def _both(
        self, to: Callable[[Needs], Sequence[str]], by: Callable[[Needs], Sequence[str]]
    ) -> dict[str, tuple[str, ...]]:
        """Return for each unit those that it names one way, and those that name it the other way."""
        found: dict[str, dict[str, None]] = {}
        for name, unit in self._units.items():
            for other in to(unit.needs):
                found.setdefault(name, {}).setdefault(other)
            for other in by(unit.needs):
                found.setdefault(other, {}).setdefault(name)
        return {
            name: tuple(other for other in others if other in self._units and other != name)
            for name, others in found.items()
        }

    def conflicting(self, name: str) -> tuple[str, ...]:
        """Rule 1."""
        return self._conflicts.get(name, ())

    def upheld(self, name: str) -> tuple[str, ...]:
        """Rule 2: what it upholds."""
        return tuple(other for other in self._units[name].needs.upholds if other in self._units)

    def upholders(self, name: str) -> tuple[str, ...]:
        """Rule 2: who upholds it."""
        return self._upholders.get(name, ())

    def handlers(self, name: str, *, failed: bool) -> tuple[str, ...]:
        """Rule 3."""
        needs = self._units[name].needs
        return tuple(other for other in (needs.on_failure if failed else needs.on_success) if other in self._units)

    def stopped_with(self, name: str) -> tuple[str, ...]:
        """Rule 4."""
        return self._stops.get(name, ())

    def unneeded_after(self, name: str) -> tuple[str, ...]:
        """Rule 5: what may be needed no longer when a unit has ended."""
        pulled = self._units[name].needs.pulled
        return tuple(other for other in pulled if other in self._units and self._units[other].stop_when_unneeded)

    def pulling(self, name: str) -> tuple[str, ...]:
        """Rule 5: who needs it."""
        return self._pulling.get(name, ())

    def reloaded_with(self, name: str) -> list[str]:
        """Rule 6: a unit, and all to which its reload goes on."""
        found = [name]
        for each in found:  # grows as it goes
            found += [other for other in self._reloads.get(each, ()) if other not in found]
        return found


def monitored(name: str, result: str, outcome: Outcome | None, invocation: str) -> dict[str, str]:
    """Return the variables that describe the end of one unit to another that it starts (systemd.exec(5))."""
    found = {"MONITOR_SERVICE_RESULT": result, "MONITOR_INVOCATION_ID": invocation, "MONITOR_UNIT": name}
    if outcome is not None:
        found["MONITOR_EXIT_CODE"], found["MONITOR_EXIT_STATUS"] = outcome.in_words()
    return {key: value for key, value in found.items() if value}
