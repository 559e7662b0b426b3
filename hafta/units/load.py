"""Finding units: by file or by name, with drop-ins, templates and aliases, and what they pull in (systemd.unit(5)).

Rules
1. Pulled in are Wants=, Requires=, BindsTo=, the service of a socket, the .wants and .requires directories, and, for a
   target that stands outside the system's directories, the units in its directory whose [Install] section names it:
   nobody has run `systemctl enable` there.
2. The system's own targets (special.py) are taken as reached, unless they are given. Of default.target,
   graphical.target and multi-user.target, one that is given pulls in the others, and with them what is enabled,
   also the sockets of sockets.target.
   Mounts, swaps and slices are taken as reached, too, and a device if it is there.
3. A unit that is refused takes along those that require it. What is only wanted is then left out, and that is noted.
   If a unit that was given is refused, nothing is run, and the error names every reason.
4. All names in the units that `load` returns are the units' own ones, never aliases. None depends on itself.
"""

from __future__ import annotations

import os
import stat

from hafta import exits
from hafta.errors import UsageError
from hafta.units.execstart import TREE, in_checkout
from hafta.units.files import absolute, newest, read_text, reason
from hafta.units.names import Name, Names, listed
from hafta.units.read import read_unit
from hafta.units.special import ENABLED, SOCKETS, SPECIAL, is_systemds
from hafta.units.specifiers import Specifiers, unescape
from hafta.units.template import Template
from hafta.units.unit import Needs, Unheeded
from hafta.units.unitfile import UnitError, parse
from hafta.units.values import is_unit_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hafta.units.roots import Roots
    from hafta.units.sockets import Socket
    from hafta.units.unit import Unit
    from hafta.units.unitfile import Entry

ADMINISTRATOR = ("/etc/systemd/system", "/run/systemd/system")
#: What this is installed below: /usr, /usr/local, ~/.local, a virtual environment. A wheel's units stand there, too.
PREFIX = os.path.dirname(os.path.dirname(os.path.dirname(TREE)))
SYSTEM = (*ADMINISTRATOR, "/usr/lib/systemd/system", "/lib/systemd/system")
KINDS = ("service", "socket", "target")
#: Kinds of units that others may need, and that a container has from its beginning or can do without.
REACHED = ("automount", "mount", "scope", "slice", "swap")


def search_path(given: Sequence[str]) -> tuple[str, ...]:
    """Return where names are looked up: the given directories, then our own and the system's.

    A checkout's own units come first. Installed ones are a vendor's: what `systemctl edit` or `mask` leaves wins.
    """
    vendor = (*ADMINISTRATOR, os.path.join(PREFIX, "lib/systemd/system"))
    own = (os.path.join(TREE, "units"),) if in_checkout() else vendor
    return tuple(dict.fromkeys((*map(absolute, given), *own, *SYSTEM)))


def full_name(name: str) -> str:
    """Return the name with its suffix: .service unless there is another."""
    return name if Name(name).suffix and "." in name else f"{name}.service"


#: What to do where a kind of unit is left out on purpose.
_INSTEAD = {
    "timer": "let the host, or a cron in the container, start its service",
    "path": "let the service look for its file itself, or start it when the file is there",
}


class Loader:
    """Reads units and what they pull in."""

    def __init__(self, path: Sequence[str], roots: Roots) -> None:
        self.path = tuple(path)
        self.roots = roots
        self.notes: list[str] = []
        self._names = Names(())
        self._parsed: dict[str, list[Entry]] = {}
        self._units: dict[str, Unit] = {}
        self._errors: dict[str, UsageError] = {}
        self._refused: set[str] = set()  # for an error, its own or that of a unit that it requires
        self._given: list[str] = []  # and the targets of the system that come with one of them

    def load(self, operands: Sequence[str]) -> dict[str, Unit]:
        """Return the units by name, those that were given and those that they pull in.

        Raises UnitError if one that was given cannot be run, UsageError (status 4) if one is not there.
        """
        folders = [absolute(folder) for operand in operands if (folder := os.path.dirname(operand))]
        self.path = tuple(dict.fromkeys((*reversed(folders), *self.path)))
        self._names = Names(self.path)
        given = [self.canonical(os.path.basename(operand)) for operand in operands]
        self._given = list(given)
        self._gather(given)
        self._pass_on()
        if reasons := self._reasons(given):
            raise _joined(reasons)
        return self._chosen(given)

    def read(self, name: str) -> Unit:
        """Return a unit alone, without what it pulls in. Raises UsageError (status 4 if it is not there)."""
        self._names = Names(self.path)
        return self._read(self.canonical(name))

    def files(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the file of each unit and its drop-ins in their order: a mask alone, nothing if there is no unit."""
        self._names = Names(self.path)
        found: dict[str, tuple[str, ...]] = {}
        for name in names:
            own, file = self._names.resolve(full_name(name))
            drop_ins = self._drop_ins(self._names.all_of(own)) if file and not is_masked(file) else []
            found[name] = (file, *drop_ins) if file else ()
        return found

    def canonical(self, name: str) -> str:
        """Return the own name of the unit that a name, an alias or a name without its suffix means."""
        return self._names.resolve(full_name(name))[0]

    def _gather(self, given: Iterable[str]) -> None:
        """Read all units that are pulled in, each once."""
        waiting = list(given)[::-1]
        while waiting:
            name = waiting.pop()
            if name in self._units or name in self._errors:
                continue
            try:
                unit = self._units[name] = self._read(name)
            except UsageError as error:
                self._errors[name] = error
                continue
            if name in self._given and name in ENABLED:
                self._given += ENABLED.intersection(unit.needs.pulled)
            waiting += [other for other in unit.needs.reached if not self._is_foreign(other)][::-1]

    def _pass_on(self) -> None:
        """Refuse what requires something that is refused."""
        requiring: dict[str, list[str]] = {}
        for name, unit in self._units.items():
            for other in unit.needs.indispensable:
                requiring.setdefault(other, []).append(name)
        waiting = list(self._errors)
        while waiting:
            name = waiting.pop()
            if name not in self._refused:
                self._refused.add(name)
                waiting += requiring.get(name, ())

    def _reasons(self, given: Iterable[str]) -> list[UsageError]:
        """Return why units that were given cannot be run, each reason once."""
        found: dict[str, UsageError] = {}
        for unit, whom in self._all_required(given):
            error = self._errors.get(unit)
            if error and whom and error.status == exits.NOT_FOUND:
                error = UsageError(f"{error.message}, which {whom} requires", error.hint, status=error.status)
            if error:
                found.setdefault(unit, error)
        return list(found.values())

    def _all_required(self, given: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Give the units that were given and all that they cannot do without, each with the unit that requires it."""
        waiting = [(name, "") for name in given]
        seen = {name for name, _ in waiting}
        while waiting:
            name, whom = waiting.pop(0)
            yield name, whom
            unit = self._units.get(name)
            for other in unit.needs.indispensable if unit else ():
                if other not in seen:
                    seen.add(other)
                    waiting.append((other, name))

    def _chosen(self, given: Iterable[str]) -> dict[str, Unit]:
        """Return the units to run, and note what is wanted but cannot be."""
        found: dict[str, Unit] = {}
        noted: set[str] = set()
        waiting = list(given)[::-1]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            unit = found[name] = self._units[name]
            for other in (*unit.needs.wants, *unit.needs.upholds, *unit.needs.handlers):
                if (why := self._why_not(other)) and other not in noted:
                    noted.add(other)
                    what = "wants" if other in unit.needs.pulled else "has in OnFailure= or OnSuccess="
                    self.notes.append(f"{name} {what} {other}, {why}: skipped")
            waiting += [
                other
                for other in unit.needs.reached
                if other in self._units and other not in self._refused and not self._is_foreign(other)
            ][::-1]
        return found

    def _why_not(self, name: str) -> str:
        if Name(name).suffix not in KINDS:
            return "" if self._is_reached(name) else "which is not a service, a socket or a target"
        if name not in self._refused:
            return ""
        file = self._names.resolve(name)[1]
        if not file or is_masked(file):
            return "which is masked" if file else "which does not exist"
        return f"which cannot be run: {'; '.join(error.message for error in self._reasons([name]))}"

    def _is_foreign(self, name: str) -> bool:
        """Tell whether a unit is none of ours to start: of another kind, or a target of the system's."""
        if Name(name).suffix not in KINDS:
            return True
        if name in self._given or not (name in SPECIAL or is_systemds(name)):
            return False
        file = self._names.resolve(name)[1]
        return not file or os.path.dirname(file) in SYSTEM

    @staticmethod
    def _is_reached(name: str) -> bool:
        """Tell whether a foreign unit counts as up: it stands for a state of the machine."""
        parts = Name(name)
        if parts.suffix == "device":
            return os.path.lexists("/" + unescape(parts.stem))
        return parts.suffix in REACHED or parts.suffix in {"target", "socket"}

    def _read(self, name: str) -> Unit:
        parts = Name(name)
        if parts.suffix not in KINDS:
            problem = f"{name}: the embedded overlord runs services, sockets and targets only"
            raise UsageError(problem, _INSTEAD.get(parts.suffix, "give a .service"))
        if parts.is_template:
            raise UsageError(f"{name} is a template", f"give it an instance: {parts.prefix}@NAME.{parts.suffix}")
        file = self._names.resolve(name)[1]
        if not file:
            hint = f"looked in {', '.join(self.path)}; --unit-path adds a directory"
            raise UsageError(f"there is no unit {name}", hint, status=exits.NOT_FOUND)
        if is_masked(file):
            raise UsageError(f"{name} is masked ({file})", "unmask it, or give another unit")
        unit = self._read_files(name, file)
        if unit.socket and unit.socket.accept:
            unit = self._with_template(unit, unit.socket)
        lost = [other for other in unit.needs.required if self._is_foreign(other) and not self._is_reached(other)]
        if not lost:
            return unit
        return unit.replace(unheeded=(*unit.unheeded, *(Unheeded(f"the unit {other} of Requires") for other in lost)))

    def _all_entries(self, files: Iterable[str]) -> tuple[Entry, ...]:
        return tuple(entry for each in files for entry in self._entries(each))

    def _read_files(self, name: str, file: str) -> Unit:
        """Read a unit from its file and its drop-ins, whatever it needs."""
        names = self._names.all_of(name)
        drop_ins = self._drop_ins(names)
        read = newest((file, *drop_ins))
        unit = read_unit(self._all_entries((file, *drop_ins)), Specifiers(name, file, self.roots))
        about = unit.about.replace(names=tuple(names), drop_ins=tuple(drop_ins), read=read)
        return unit.replace(about=about, needs=self._all_needs(unit, names))

    def _with_template(self, unit: Unit, socket: Socket) -> Unit:
        """Read the template of a socket with Accept=yes, as one instance that stands for all."""
        name = f"{Name(unit.name).prefix}@0.service"
        file = self._names.resolve(name)[1]
        if not file or is_masked(file):
            problem = f"{unit.name}: there is no template {Name(name).template} for its connections (Accept=yes)"
            raise UsageError(problem, "write one, or set Accept=no", status=exits.NOT_FOUND)
        sample = self._read_files(name, file)
        entries = self._all_entries((file, *sample.about.drop_ins))
        socket = socket.replace(template=Template(entries, self.roots, sample))
        later = tuple(other for other in sample.needs.required if other != unit.name and not self._is_foreign(other))
        return unit.replace(needs=unit.needs.replace(later=later), socket=socket)

    def _all_needs(self, unit: Unit, names: Sequence[str]) -> Needs:
        """Return what the files and directories of a unit say of others, under the others' own names."""
        more = {
            "wants": (*self._linked(names, "wants"), *self._enabled(names[0]), *self._installed(unit, "WantedBy")),
            "requires": (*self._linked(names, "requires"), *self._installed(unit, "RequiredBy")),
        }
        found: dict[str, tuple[str, ...]] = {}
        for kind in Needs._fields:
            all_of_kind = (*getattr(unit.needs, kind), *more.get(kind, ()))
            found[kind] = tuple(
                dict.fromkeys(own for each in all_of_kind if (own := self.canonical(each)) != unit.name)
            )
        known = (each for each in found["requisite"] if not (self._is_foreign(each) and self._is_reached(each)))
        return Needs(**(found | {"requisite": tuple(known)}))

    def _drop_ins(self, names: Sequence[str]) -> list[str]:
        """Return the drop-ins in the order of their names; of equal names the first found counts."""
        found: dict[str, str] = {}
        for folder in self._names.drop_in_folders(names, "d"):
            for base in listed(folder):
                file = os.path.join(folder, base)
                if base.endswith(".conf") and not os.path.isdir(file):
                    found.setdefault(base, file)
        return [found[base] for base in sorted(found, key=os.fsencode)]

    def _linked(self, names: Sequence[str], kind: str) -> list[str]:
        """Return the units that NAME.wants or NAME.requires lists: `systemctl enable` put them there.

        What systemd brings itself for the targets of the system is part of the system.
        """
        found = []
        for folder in self._names.drop_in_folders(names, kind):
            own = names[0] in SPECIAL and os.path.dirname(folder) in SYSTEM[len(ADMINISTRATOR) :]
            found += [
                base
                for base in sorted(listed(folder))
                if is_unit_name(base) and not (own and base.startswith("systemd-"))
            ]
        return found

    def _enabled(self, name: str) -> list[str]:
        """Return the sockets that are enabled: they come with the target on which all hangs that is."""
        return self._linked((SOCKETS,), "wants") if name in ENABLED else []

    def _installed(self, unit: Unit, directive: str) -> list[str]:
        """Return the units beside a target whose [Install] section names it."""
        folder = os.path.dirname(unit.file)
        if Name(unit.name).suffix != "target" or folder in SYSTEM:
            return []
        candidates = [base for base in sorted(listed(folder)) if base != unit.name and not Name(base).is_template]
        return [
            base
            for base in candidates
            if Name(base).suffix in KINDS and unit.name in self._install_words(os.path.join(folder, base), directive)
        ]

    def _install_words(self, file: str, directive: str) -> list[str]:
        """Return the units that an [Install] section names; none where a file beside ours cannot be read."""
        try:
            entries = self._entries(file)
        except UnitError:
            return []
        found = [entry.value.split() for entry in entries if (entry.section, entry.name) == ("Install", directive)]
        return [word for line in found for word in line]

    def _entries(self, file: str) -> list[Entry]:
        """Return what a file says; each is read once."""
        if file not in self._parsed:
            self._parsed[file] = _parse(file)
        return self._parsed[file]


def _joined(reasons: Sequence[UsageError]) -> UsageError:
    """Return one error for all reasons."""
    if len(reasons) == 1:
        return reasons[0]
    problems = "; ".join(error.message for error in reasons)
    hint = "correct them, or do not ask for the units that need them"
    return UsageError(f"{len(reasons)} units cannot be run: {problems}", hint, status=reasons[0].status)


def is_masked(file: str) -> bool:
    """Tell whether a unit file stands for a unit that must not be started."""
    try:
        info = os.stat(file)
    except OSError:
        return False
    return stat.S_ISCHR(info.st_mode) or (stat.S_ISREG(info.st_mode) and info.st_size == 0)  # /dev/null, or nothing


def _parse(file: str) -> list[Entry]:
    try:
        return parse(read_text(file), file)
    except (OSError, ValueError) as error:
        raise UnitError(f"{file}: {reason(error)}", "make it a file that can be read") from None
