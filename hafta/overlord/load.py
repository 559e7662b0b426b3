"""Finding units: by file or by name, with drop-ins and templates, and what they pull in (systemd.unit(5)).

Pulled in are Wants=, Requires= and BindsTo=, the .wants and .requires directories, and, for a target that stands
outside the system's directories, the units beside it whose [Install] section names it: there nobody has run
`systemctl enable`.
The system's own targets (network-online.target, ...) are the system's affair: they are taken as reached, unless given.
"""

from __future__ import annotations

import os
import stat
import sys

from hafta import exits
from hafta.errors import UsageError
from hafta.overlord.execstart import TREE, in_checkout
from hafta.overlord.read import read_unit
from hafta.overlord.specifiers import Name, Specifiers
from hafta.overlord.unit import Unheeded
from hafta.systemd.unitfile import UnitError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafta.overlord.dirs import Roots
    from hafta.overlord.unit import Unit
    from hafta.systemd.unitfile import Entry

ADMINISTRATOR = ("/etc/systemd/system", "/run/systemd/system")
SYSTEM = (*ADMINISTRATOR, "/usr/lib/systemd/system", "/lib/systemd/system")
KINDS = ("service", "target")


def search_path(given: Sequence[str]) -> tuple[str, ...]:
    """Return where names are looked up: the given directories, then our own and the system's.

    A checkout's own units come first. Installed ones are a vendor's: what `systemctl edit` or `mask` leaves wins.
    """
    vendor = (*ADMINISTRATOR, os.path.join(sys.prefix, "lib/systemd/system"))
    own = (os.path.join(TREE, "units"),) if in_checkout() else vendor
    return tuple(dict.fromkeys((*map(os.path.abspath, given), *own, *SYSTEM)))


class Loader:
    """Reads units and what they pull in."""

    def __init__(self, path: Sequence[str], roots: Roots) -> None:
        self.path = tuple(path)
        self.roots = roots
        self.units: dict[str, Unit] = {}
        self.notes: list[str] = []

    def load(self, operands: Sequence[str]) -> dict[str, Unit]:
        """Return the units by name, those that were given and those that they pull in.

        Raises UnitError for one that cannot be understood, UsageError (status 4) for one that is not there.
        """
        for operand in operands:
            folder, name = os.path.split(operand)
            if folder:
                self.path = tuple(dict.fromkeys((os.path.abspath(folder), *self.path)))
            self._add(full_name(name))
        return self.units

    def _add(self, name: str, whom: str = "") -> None:
        """Take in a unit; `whom` is who requires it, if anybody does."""
        if name in self.units:
            return
        unit = self._read(name, whom)
        self.units[name] = unit
        for wanted in (*unit.needs.wants, *self._linked(name, "wants"), *self._installed(unit, "wanted_by")):
            self._add_wanted(unit, wanted)
        for required in (*unit.needs.required, *self._linked(name, "requires"), *self._installed(unit, "required_by")):
            if not self._is_foreign(required):
                self._add(required, unit.name)

    def _add_wanted(self, unit: Unit, name: str) -> None:
        """Take in what is only wanted; what cannot be is left out, and said."""
        if name in self.units:
            return
        if Name(name).suffix not in KINDS:
            self.notes.append(f"{unit.name} wants {name}, which is no service and no target: goes on without it")
            return
        if self._is_foreign(name):
            return
        file = self._file_of(Name(name))
        if not file or _is_masked(file):
            why = "masked" if file else "not there"
            self.notes.append(f"{unit.name} wants {name}, which is {why}: goes on without it")
            return
        self._add(name)

    def _is_foreign(self, name: str) -> bool:
        """Tell whether a unit is none of ours to start: of another kind, or a target of the system's."""
        kind = Name(name).suffix
        if kind == "service" or name in self.units:
            return False
        file = self._file_of(Name(name)) or ""
        return kind != "target" or not file or os.path.dirname(file) in SYSTEM

    def _read(self, name: str, whom: str) -> Unit:
        parts = Name(name)
        if parts.suffix not in KINDS:
            raise UsageError(f"{name}: the embedded overlord runs services and targets only", "give a .service")
        if parts.is_template:
            raise UsageError(f"{name} is a template", f"give it an instance: {parts.prefix}@NAME.{parts.suffix}")
        file = self._file_of(parts)
        if not file:
            hint = f"looked in {', '.join(self.path)}; --unit-path adds a directory"
            why = f", which {whom} requires" if whom else ""
            raise UsageError(f"there is no unit {name}{why}", hint, status=exits.NOT_FOUND)
        specifiers = Specifiers(name, file, self.roots)
        if _is_masked(file):
            raise UsageError(f"{name} is masked ({file})", "unmask it, or give another unit")
        entries = [entry for each in (file, *self._drop_ins(parts)) for entry in _entries(each)]
        unit = read_unit(entries, specifiers)
        foreign = tuple(Unheeded(f"the {what} {other} of Requires") for what, other in self._foreign_needs(unit))
        return unit.replace(unheeded=(*unit.unheeded, *foreign))

    def _foreign_needs(self, unit: Unit) -> Iterator[tuple[str, str]]:
        for other in unit.needs.required:
            if self._is_foreign(other):
                yield "unit", other

    def _file_of(self, name: Name) -> str:
        for candidate in filter(None, (name.full, name.template)):
            for folder in self.path:
                file = os.path.join(folder, candidate)
                if os.path.exists(file):
                    return file
        return ""

    def _drop_ins(self, name: Name) -> list[str]:
        """Return the drop-ins in the order of their names; of equal names the first found counts."""
        found: dict[str, str] = {}
        for folder in self.path:
            for below in _drop_in_names(name):
                for file in _listed(os.path.join(folder, below)):
                    if file.endswith(".conf"):
                        found.setdefault(os.path.basename(file), file)
        return [found[base] for base in sorted(found)]

    def _linked(self, name: str, kind: str) -> list[str]:
        """Return the units that NAME.wants or NAME.requires lists: `systemctl enable` put them there."""
        files = [file for folder in self.path for file in _listed(os.path.join(folder, f"{name}.{kind}"))]
        return [os.path.basename(file) for file in files]

    def _installed(self, unit: Unit, field: str) -> list[str]:
        """Return the units beside a target whose [Install] section names it."""
        folder = os.path.dirname(unit.file)
        if Name(unit.name).suffix != "target" or folder in SYSTEM:
            return []
        found = []
        for file in _listed(folder):
            name = Name(os.path.basename(file))
            if name.suffix in KINDS and not name.is_template and self._names(file, name, field, unit.name):
                found.append(name.full)
        return found

    def _names(self, file: str, name: Name, field: str, target: str) -> bool:
        wanted = {"wanted_by": "WantedBy", "required_by": "RequiredBy"}[field]
        lines = [entry.value.split() for entry in _entries(file) if (entry.section, entry.name) == ("Install", wanted)]
        return name.full != target and any(target in words for words in lines)


def full_name(name: str) -> str:
    """Return the name with its suffix: .service unless there is another."""
    return name if Name(name).suffix and "." in name else f"{name}.service"


def _drop_in_names(name: Name) -> Iterator[str]:
    """Give the drop-in directories of a unit, the most specific first."""
    yield f"{name.full}.d"
    if name.template:
        yield f"{name.template}.d"
    stem = name.prefix
    while "-" in stem.rstrip("-"):
        stem = stem.rstrip("-").rpartition("-")[0] + "-"
        yield f"{stem}.{name.suffix}.d"
    yield f"{name.suffix}.d"


def _listed(folder: str) -> list[str]:
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    except OSError:
        return []


def _is_masked(file: str) -> bool:
    info = os.stat(file)
    return stat.S_ISCHR(info.st_mode) or info.st_size == 0  # /dev/null, or nothing


def _entries(file: str) -> list[Entry]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as opened:
            return parse(opened.read(), file)
    except OSError as error:
        raise UnitError(f"{file}: {error.strerror}", "make it a file that can be read") from None
