"""A rule: what it looks for, why, and what to do; and what it finds, with its place.

A code never changes its meaning, and one that is gone is not given to another rule: people write them into scripts.
"""

from __future__ import annotations

from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from hafta.units.unitfile import Entry

ERROR = "error"  # it does not do what it says, or stays down
WARNING = "warning"  # it works, until something goes wrong
NOTE = "note"  # good to know; nothing to do
SEVERITIES = (ERROR, WARNING, NOTE)


class Spot(Frozen):
    """What a rule has found: one line that says what, with values, and where. `line` 0: the whole of it."""

    text: str
    file: str = ""
    line: int = 0


class Finding(Frozen):
    """A spot, with its rule and the thing that was looked at."""

    code: str
    severity: str
    kind: str  # unit, machine, sequence, record
    subject: str
    text: str
    file: str
    line: int
    cure: str


class Rule(Frozen):
    """One rule. `bad` and `good` are examples: lines of a unit, of a module, of a configuration, or a sentence."""

    code: str
    severity: str
    title: str
    reason: str
    cure: str
    bad: str
    good: str
    find: Callable[[Any], Iterable[Spot]]

    def findings(self, kind: str, name: str, subject: Any) -> list[Finding]:
        """Return what it finds in a subject."""
        return [self.finding(kind, name, spot) for spot in self.find(subject)]

    def finding(self, kind: str, name: str, spot: Spot) -> Finding:
        """Return a spot as a finding in a subject."""
        return Finding(self.code, self.severity, kind, name, spot.text, spot.file, spot.line, self.cure)


def rule(
    code: str, severity: str, title: str, *, reason: str, cure: str, bad: str, good: str
) -> Callable[[Callable[[Any], Iterable[Spot]]], Rule]:
    """Make a rule of a function that gives spots."""

    def make(find: Callable[[Any], Iterable[Spot]]) -> Rule:
        return Rule(code, severity, title, reason, cure, bad.strip("\n"), good.strip("\n"), find)

    return make


def at(entry: Entry, text: str) -> Spot:
    """Return a spot where an assignment stands."""
    return Spot(text, entry.file, entry.line)
