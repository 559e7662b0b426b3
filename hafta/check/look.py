"""One look at all that is named, or at all of HAFTA's: what was looked at and found, and what could not be seen."""

from __future__ import annotations

import os
import re

from hafta import exits
from hafta.check import here
from hafta.check.importing import judge
from hafta.check.kept import Records, is_record
from hafta.check.records import Program
from hafta.check.rule import ERROR, SEVERITIES, WARNING
from hafta.check.rules import BY_KIND, MACHINES, RECORD, RULES, SEQUENCE, UNIT
from hafta.check.units import Finder
from hafta.errors import UsageError
from hafta.frozen import Frozen
from hafta.units.write import SEQUENCE_WATCHDOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from hafta.check.rule import Finding
    from hafta.check.unit import Merged
    from hafta.observe.sources.records import Entry

_SEQUENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
THIS_MACHINE = "this machine"


class Checked(Frozen):
    """One thing that was looked at."""

    kind: str
    name: str
    files: tuple[str, ...] = ()


class Answer(Frozen):
    """What was looked at and found, by place; what could not be seen, and who can; names of which there is nothing."""

    systemd: int  # the release that units were judged for
    checked: tuple[Checked, ...] = ()
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def count(self, severity: str) -> int:
        """Return how many findings of this severity there are."""
        return sum(one.severity == severity for one in self.findings)

    def status(self, *, strict: bool) -> int:
        """Return the exit status."""
        if self.unknown:
            return exits.NOT_FOUND
        if self.count(ERROR) or (strict and self.count(WARNING)):
            return exits.FAILED
        return exits.PERMISSION if self.missing and not self.checked else exits.OK


class Look:
    """Gathers what is looked at, one thing after the other."""

    def __init__(self, environ: Mapping[str, str], against: int | None, *, of_user: bool) -> None:
        self._finder = Finder(environ, against, of_user=of_user)
        self._records = Records(environ)
        self._units: list[Merged] = []
        self._checked: dict[Checked, None] = {}
        self._findings: dict[Finding, None] = {}
        self._missing: list[str] = []
        self._unknown: list[str] = []

    def at(self, names: Sequence[str]) -> None:
        """Look at what is named. Raises UsageError for what cannot be meant."""
        sequences = [name for name in names if _SEQUENCE.fullmatch(name) and not os.path.exists(name)]
        paths = [name for name in names if "/" in name or (is_record(name) and os.path.exists(name))]
        plain = [name for name in names if name not in {*sequences, *paths}]
        units = self._finder.by_name(plain)
        for name in plain:
            if name in units:
                self._unit(units[name])
        for path in paths:
            if not is_record(path):
                self._file(path)
        for place in sequences:
            self._sequence(place)
        for path in paths:
            if is_record(path):
                self._found(path, self._records.by_file(path))
        for name in plain:
            if name not in units:
                self._found(name, self._records.named(name))

    def everywhere(self, *, deep: bool) -> None:
        """Look at all of HAFTA's on this machine, and at the machine itself."""
        for unit in self._finder.all_of_ours().values():
            self._unit(unit)
        for entry in self._records.all():
            self._record(entry)
        machine, missing = here.machine(deep=deep)
        self._missing += missing
        if machine is not None:
            self._take(MACHINES, THIS_MACHINE, (), machine)

    def answer(self) -> Answer:
        """Return what was found, by place, the worst first in each."""
        places = list(self._checked)
        names = [(each.kind, each.name, each.files[:1]) for each in places]
        order = {(kind, name): at for at, (kind, name, _) in reversed([*enumerate(names)])}
        ordered = sorted(
            self._findings,
            key=lambda one: (
                order[one.kind, one.subject], SEVERITIES.index(one.severity), one.file, one.line, one.code,
            ),
        )  # fmt: skip
        missing = dict.fromkeys((*self._finder.missing, *self._records.missing, *self._missing))
        return Answer(self._finder.release, tuple(places), tuple(ordered), tuple(missing), tuple(self._unknown))

    def _file(self, path: str) -> None:
        if not os.path.lexists(path):
            self._unknown.append(path)
            return
        if os.path.isdir(path):
            raise UsageError(f"{path} is a directory", "name the unit files in it")
        self._unit(self._finder.by_file(path))

    def _unit(self, unit: Merged | None) -> None:
        if unit is not None:
            self._units.append(unit)
            self._take(UNIT, unit.name, (unit.file, *unit.drop_ins), unit)

    def _sequence(self, place: str) -> None:
        """Import a sequence and judge it, with the watchdog of a unit that was named and runs it."""
        try:
            found = judge(place, *self._watchdog(place))
        except UsageError as error:
            if error.status != exits.NOT_FOUND:
                raise
            self._unknown.append(place)
            return
        self._checked[Checked(SEQUENCE, place)] = None
        self._findings.update({RULES[code].finding(SEQUENCE, place, spot): None for code, spot in found.spots})
        if found.name:
            self._records.knows(Program(found.name, found.version, found.nodes))

    def _watchdog(self, place: str) -> tuple[float, str]:
        """Return the watchdog that judges a sequence, and whose it is; 0 where a warm parent judges it."""
        for unit in self._units:
            if place in unit.words:
                return 0.0 if unit.is_on("warm") else unit.watchdog, unit.name
        return SEQUENCE_WATCHDOG, "what hafta unit gives it"

    def _found(self, name: str, entries: Iterable[Entry]) -> None:
        """Look at the records of a name; note if there is none."""
        missing = len(self._records.missing)
        before = len(self._checked)
        for entry in entries:
            self._record(entry)
        if len(self._checked) == before and len(self._records.missing) == missing:
            self._unknown.append(name)

    def _record(self, entry: Entry) -> None:
        self._take(RECORD, entry.name, (entry.snapshot.path,), self._records.kept(entry))

    def _take(self, kind: str, name: str, files: tuple[str, ...], subject: Any) -> None:
        """Try all rules of a kind on a subject."""
        self._checked[Checked(kind, name, files)] = None
        for rule in BY_KIND[kind]:
            self._findings.update(dict.fromkeys(rule.findings(kind, name, subject)))


def look(
    names: Sequence[str],
    environ: Mapping[str, str],
    *,
    against: int | None = None,
    of_user: bool = False,
    deep: bool = False,
) -> Answer:
    """Look at what is named, or at everything."""
    found = Look(environ, against, of_user=of_user)
    if names:
        found.at(names)
    else:
        found.everywhere(deep=deep)
    return found.answer()
