"""The table of a corpus: how many units are run as meant, and what stands in the way of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from judge import Verdict
from tree import Shipped

Verdicts = dict[Shipped, Verdict]


class Goal(NamedTuple):
    """What must hold."""

    what: str
    reached: float
    wanted: float

    @property
    def is_met(self) -> bool:
        """Whether it holds."""
        return self.reached >= self.wanted

    def __str__(self) -> str:
        return f"{'met   ' if self.is_met else 'MISSED'}  {self.what}: {self.reached:.1%} (goal: {self.wanted:.0%})"


def goals(verdicts: Verdicts) -> list[Goal]:
    """Return the goals, for the units that are not systemd's own; refusals and silence count for all."""
    others = [verdict for unit, verdict in verdicts.items() if not unit.is_own]
    refused = [verdict for verdict in verdicts.values() if verdict.refusal]
    return [
        Goal("start as meant", _share(verdict.starts for verdict in others), 0.85),
        Goal("also reload and stop as meant", _share(verdict.lives for verdict in others), 0.75),
        Goal("refusals that are right", _share(bool(verdict.why_right) for verdict in refused), 1.0),
        Goal("units of which each directive is heeded or named", _share(not v.silent for v in verdicts.values()), 1.0),
    ]


def table(verdicts: Verdicts) -> Iterator[str]:
    """Give the lines of the table."""
    others = {unit: verdict for unit, verdict in verdicts.items() if not unit.is_own}
    columns = {f"all {len(verdicts)}": list(verdicts.values()), f"not systemd's {len(others)}": list(others.values())}
    yield f"{'':44}" + "".join(f"{head:>20}" for head in columns)
    for what, holds in (
        ("accepted, with all that it requires", lambda verdict: verdict.is_accepted),
        ("starts as meant", lambda verdict: verdict.starts),
        ("also reloads and stops as meant", lambda verdict: verdict.lives),
        ("runs without a part of its sandbox", lambda verdict: verdict.is_accepted and bool(verdict.sandbox)),
    ):
        cells = (f"{sum(map(holds, column)):5} ({_share(map(holds, column)):6.1%})" for column in columns.values())
        yield f"{what:44}" + "".join(f"{cell:>20}" for cell in cells)
    yield from _refusals(verdicts)
    yield from _blocking(others, "What the start loses", lambda verdict: verdict.at_start)
    yield from _blocking(others, "What the whole life loses", lambda verdict: verdict.lost)


def details(verdicts: Verdicts) -> Iterator[str]:
    """Give a line for each unit that does not live as meant."""
    for unit, verdict in verdicts.items():
        if verdict.refusal:
            yield f"{unit.name} ({unit.package}): refused: {verdict.refusal}"
        elif verdict.lost or verdict.silent:
            said = "; ".join((*verdict.lost, *(f"{name} in silence" for name in verdict.silent)))
            yield f"{unit.name} ({unit.package}): {'starts' if verdict.starts else 'loses'}: {said}"


def _refusals(verdicts: Verdicts) -> Iterator[str]:
    refused = [verdict for verdict in verdicts.values() if verdict.refusal]
    yield f"\nRefused: {len(refused)}"
    right = Counter(verdict.why_right for verdict in refused if verdict.why_right)
    wrong = Counter(_kind(reason) for verdict in refused if not verdict.why_right for reason in verdict.reasons)
    yield from (f"{count:6}  right: {why}" for why, count in right.most_common())
    yield from (f"{count:6}  WRONG: {why}" for why, count in wrong.most_common())


def _blocking(verdicts: Verdicts, head: str, lost_by) -> Iterator[str]:
    """Count each directive: in how many accepted units it is lost, and in how many of these it is the only one."""
    lost = [{_plain(name) for name in lost_by(verdict)} for verdict in verdicts.values()]
    everywhere = Counter(name for names in lost for name in names)
    alone = Counter(next(iter(names)) for names in lost if len(names) == 1)
    yield f"\n{head}: directive, units, of which it is the only one"
    for name, count in sorted(everywhere.items(), key=lambda item: (-item[1], item[0])):
        yield f"  {name:52}{count:5}{alone[name]:6}"


def _plain(name: str) -> str:
    """Return a name that is the same for units with the same trouble."""
    return re.sub(r"the unit \S+\.(\w+) of", r"the units .\1 of", name)


def _kind(refusal: str) -> str:
    """Return what is wrong without where."""
    text = re.sub(r"^\S+?(:\d+)?: ", "", refusal)
    return re.sub(r" for \S+$", "", re.sub(r"^\d+ commands", "several commands", text))[:90]


def _share(answers) -> float:
    found = list(answers)
    return sum(found) / len(found) if found else 1.0
