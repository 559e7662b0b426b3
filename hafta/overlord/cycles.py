"""Ordering cycles: broken as systemd breaks them, by leaving out a unit that nobody who was asked for requires.

A cycle is found by walking from a unit to those that it is After=. Of the units on it, the last one that can go is left
out: the one that closes the cycle, unless what was asked for requires it. With it go those that require it, and
what only they have pulled in. A cycle of nothing but required units is an error: no order would be right.
"""

from __future__ import annotations

from hafta.units.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hafta.units.unit import Needs, Unit


def break_cycles(units: Mapping[str, Unit], given: Sequence[str]) -> tuple[dict[str, Unit], list[str]]:
    """Return the units without those that close a cycle, and a sentence on each that is left out.

    Raises UnitError for a cycle of units that are all required.
    """
    left = dict(units)
    needed = closure(left, given, lambda needs: needs.required)
    notes: list[str] = []
    while cycle := _find_cycle(relations(left)):
        circle = " after ".join((*cycle, cycle[0]))
        victim = next((name for name in reversed(cycle) if name not in needed), None)
        if victim is None:
            raise UnitError(f"ordering cycle: {circle}", "remove one After= or Before= of these units")
        notes.append(f"ordering cycle: {circle}: {victim} is left out")
        for name in requiring(left, victim):
            del left[name]
        kept = closure(left, given, lambda needs: needs.reached)
        left = {name: unit for name, unit in left.items() if name in kept}
    return left, notes


def pulled_in(units: Mapping[str, Unit], given: Iterable[str]) -> set[str]:
    """Return the units that are started at once: all but those that wait for a socket."""
    return closure(units, given, lambda needs: needs.pulled)


def relations(units: Mapping[str, Unit]) -> dict[str, set[str]]:
    """Return for each unit those that it is after (rules 1 and 6 of order.py)."""
    after = {name: {other for other in unit.needs.after if other in units} for name, unit in units.items()}
    for name, unit in units.items():
        for other in unit.needs.before:
            if other in units:
                after[other].add(name)
    for name, unit in units.items():
        if unit.is_target and unit.default_dependencies:
            after[name] |= {other for other in unit.needs.pulled if other in units and name not in after[other]}
    _open_early(units, after)
    return after


def _open_early(units: Mapping[str, Unit], after: Mapping[str, set[str]]) -> None:
    """Have services wait for all sockets, as systemd does by sockets.target, unless a socket waits for the service."""
    early = {name for name, unit in units.items() if unit.socket and unit.default_dependencies}
    for name, unit in units.items():
        if early and unit.is_service and unit.default_dependencies:
            after[name] |= {other for other in early if name not in after[other]}


def _find_cycle(after: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a cycle, each unit after the next one and the last after the first; empty if there is none."""
    done: set[str] = set()
    for first in after:
        path: list[str] = []
        at: dict[str, int] = {}
        waiting = [(first, False)]
        while waiting:
            name, is_left = waiting.pop()
            if is_left:
                done.add(name)
                del at[path.pop()]
            elif name in at:
                return path[at[name] :]
            elif name not in done:
                at[name] = len(path)
                path.append(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in sorted(after[name], reverse=True)]
    return []


def closure(units: Mapping[str, Unit], given: Iterable[str], others: Callable[[Needs], Iterable[str]]) -> set[str]:
    """Return the units that were given and those that they lead to."""
    found: set[str] = set()
    waiting = list(given)
    while waiting:
        name = waiting.pop()
        if name in units and name not in found:
            found.add(name)
            waiting += others(units[name].needs)
    return found


def requiring(units: Mapping[str, Unit], name: str) -> list[str]:
    """Return a unit and those that cannot do without it."""
    found = [name]
    for each in found:  # grows as it goes
        found += [other for other, unit in units.items() if each in unit.needs.required and other not in found]
    return found
