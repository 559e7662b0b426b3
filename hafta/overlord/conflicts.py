"""Conflicts= among units that are all to be started: settled as systemd settles the jobs of one transaction.

Of two units of which one names the other in Conflicts=, only one can run. If what was asked for requires one of them,
the other is left out. If it requires neither, the one that is named is left out. If it requires both, nothing is right.
"""

from __future__ import annotations

from hafta.overlord.cycles import closure, requiring
from hafta.units.unitfile import UnitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.units.unit import Unit


def settle_conflicts(units: Mapping[str, Unit], given: Sequence[str]) -> tuple[dict[str, Unit], list[str]]:
    """Return the units without those that lose, and a sentence on each of these.

    Raises UnitError for two that are both required. Units that start later, on demand, are not looked at.
    """
    left = dict(units)
    needed = closure(left, given, lambda needs: needs.required)
    notes: list[str] = []
    for name, unit in units.items():
        for other in unit.needs.conflicts:
            at_once = closure(left, given, lambda needs: needs.pulled)
            if name not in at_once or other not in at_once:
                continue
            if name in needed and other in needed:
                hint = "ask for one of them only, or remove Conflicts="
                raise UnitError(f"{name} conflicts with {other}, and both are required", hint)
            loser, winner = (name, other) if other in needed else (other, name)
            notes.append(f"{loser} is left out: it conflicts with {winner}")
            for each in requiring(left, loser):
                del left[each]
            kept = closure(left, given, lambda needs: needs.reached)
            left = {each: left[each] for each in left if each in kept}
    return left, notes
