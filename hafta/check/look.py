"""One look at all that is named, or at all of HAFTA's: what was looked at and found, and what could not be seen."""

from __future__ import annotations

import os

from hafta import exits
from hafta.check.rule import ERROR, SEVERITIES, WARNING
from hafta.check.rules import BY_KIND, UNIT
from hafta.check.units import Finder
from hafta.errors import UsageError
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hafta.check.rule import Finding
    from hafta.check.unit import Merged


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
        self._checked: dict[Checked, None] = {}
        self._findings: dict[Finding, None] = {}
        self._unknown: list[str] = []

    def at(self, names: Sequence[str]) -> None:
        """Look at what is named. Raises UsageError for what cannot be meant."""
        by_name = [name for name in names if not _is_path(name)]
        for name in names:
            if _is_path(name):
                self._file(name)
        units = self._finder.by_name(by_name)
        for name in by_name:
            if name in units:
                self._unit(units[name])
            else:
                self._unknown.append(name)

    def everywhere(self) -> None:
        """Look at all of HAFTA's on this machine."""
        for unit in self._finder.all_of_ours().values():
            self._unit(unit)

    def answer(self) -> Answer:
        """Return what was found, by place, the worst first in each."""
        places = list(self._checked)
        names = [(each.kind, each.name) for each in places]
        ordered = sorted(
            self._findings,
            key=lambda one: (
                names.index((one.kind, one.subject)), SEVERITIES.index(one.severity), one.file, one.line, one.code,
            ),
        )  # fmt: skip
        return Answer(
            self._finder.release, tuple(places), tuple(ordered), tuple(self._finder.missing), tuple(self._unknown)
        )

    def _file(self, path: str) -> None:
        if not os.path.lexists(path):
            self._unknown.append(path)
            return
        if os.path.isdir(path):
            raise UsageError(f"{path} is a directory", "name the unit files in it")
        self._unit(self._finder.by_file(path))

    def _unit(self, unit: Merged | None) -> None:
        if unit is not None:
            self._take(UNIT, unit.name, (unit.file, *unit.drop_ins), unit)

    def _take(self, kind: str, name: str, files: tuple[str, ...], subject: Any) -> None:
        """Try all rules of a kind on a subject."""
        self._checked[Checked(kind, name, files)] = None
        for rule in BY_KIND[kind]:
            self._findings.update(dict.fromkeys(rule.findings(kind, name, subject)))


def _is_path(name: str) -> bool:
    return "/" in name


def look(
    names: Sequence[str], environ: Mapping[str, str], *, against: int | None = None, of_user: bool = False
) -> Answer:  # fmt: skip
    """Look at what is named, or at everything."""
    found = Look(environ, against, of_user=of_user)
    if names:
        found.at(names)
    else:
        found.everywhere()
    return found.answer()
