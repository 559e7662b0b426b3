"""Finding units and everything about them: by name where systemd or `hafta run` would look, or by file."""

from __future__ import annotations

import os
from contextlib import suppress

from hafta.check import analyze
from hafta.check.reading import imports_of, merged
from hafta.check.unit import OLDEST, Merged
from hafta.errors import HaftaError, UsageError
from hafta.observe.sources import published, systemd
from hafta.units.files import absolute
from hafta.units.load import ADMINISTRATOR, KINDS, SYSTEM, Loader, full_name, is_masked, search_path
from hafta.units.names import Name, listed
from hafta.units.roots import Roots
from hafta.units.specifiers import Specifiers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

LOCAL = "/usr/local/lib/systemd/system"
USER = ("/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")


class Finder:
    """Finds units, and says what could not be seen."""

    def __init__(self, environ: Mapping[str, str], against: int | None, *, of_user: bool) -> None:
        self._environ, self._of_user = environ, of_user
        self.missing: dict[str, None] = {}
        own = analyze.release()
        self.release = against or own or OLDEST
        if own is None:
            self._miss("systemd is not here: what systemd-analyze verify and security say, and whether units are stale")
        self._has_tools = own is not None
        self._path = self._folders()
        self._roots = self._places()

    def by_file(self, path: str) -> Merged | None:
        """Return the unit in a file, with the drop-ins that stand next to it; None if it may not be read.

        Raises UsageError for a file that is not a unit.
        """
        name = os.path.basename(path)
        if Name(name).suffix not in KINDS:
            raise UsageError(f"{path} is not a service, a socket or a target", f"its name ends in .{', .'.join(KINDS)}")
        folder = os.path.dirname(absolute(path))
        return self._read(name, (folder, *self._path), {})

    def by_name(self, names: Sequence[str]) -> dict[str, Merged | None]:
        """Return the units of these names that there are; None for one that may not be read."""
        facts = self._facts([full_name(name) for name in names])
        found: dict[str, Merged | None] = {}
        for name in names:
            full = full_name(name)
            known = facts.get(full, {})
            file = str(known.get("FragmentPath") or "")
            path = self._path if not file else tuple(dict.fromkeys((*self._path, os.path.dirname(file))))
            if Name(full).suffix in KINDS and Loader(path, self._roots).files([full])[full]:
                found[name] = self._read(full, path, known)
        return found

    def all_of_ours(self) -> dict[str, Merged | None]:
        """Return all units of HAFTA's: by their command lines and settings, and those that describe themselves."""
        names = {each.unit for each in published.find(self._environ) if each.unit.endswith(".service")}
        names |= set(self._candidates())
        return self.by_name(sorted(names))

    def _candidates(self) -> Iterator[str]:
        """Give the names of units whose files show that HAFTA runs in them."""
        names = {name for folder in self._path for name in listed(folder) if name.endswith(".service")}
        for name, files in Loader(self._path, self._roots).files(sorted(names)).items():
            with suppress(OSError):
                unit = self._merged(name, files)
                if unit is not None and unit.is_ours:
                    yield name

    def _merged(self, name: str, files: tuple[str, ...]) -> Merged | None:
        """Return a unit by its files alone; None for a mask."""
        if not files or is_masked(files[0]):
            return None
        unit = merged(name, files, Specifiers(name, files[0], self._roots))
        seen = unit.seen.replace(imports=imports_of(unit.program), systemd=self.release, of_user=self._of_user)
        return unit.replace(seen=seen)

    def _read(self, name: str, path: Sequence[str], facts: Mapping[str, Any]) -> Merged | None:
        files = Loader(path, self._roots).files([name])[name]
        files = files or (os.path.join(path[0], name),)  # links that lead in a circle: reading it says so
        specifiers = Specifiers(name, files[0], self._roots)
        if is_masked(files[0]):
            empty = Merged(name, files[0], specifiers)
            return empty.replace(seen=empty.seen.replace(masked=files[0]))
        try:
            unit = self._merged(name, files)
        except PermissionError as error:
            self._miss(f"{error.filename or files[0]}: only its owner and root may read it")
            return None
        if unit is None:
            return None
        seen = unit.seen.replace(stale=bool(facts.get("NeedDaemonReload")), hides=self._hidden(name, files[0]))
        return self._analyzed(unit.replace(seen=seen))

    def _analyzed(self, unit: Merged) -> Merged:
        """Return it with what systemd's tools say."""
        if not self._has_tools:
            return unit
        files = (unit.file, *unit.drop_ins)
        try:
            verified = analyze.verify(unit.name, files, of_user=self._of_user)
            exposure = analyze.exposure(unit.file, of_user=self._of_user) if unit.is_service else None
        except HaftaError as error:
            self._miss(f"{error.message}: nothing of verify and security")
            return unit
        if unit.is_service and exposure is None:
            self._miss(f"the exposure of {unit.name}: systemd-analyze security does not tell it")
        return unit.replace(seen=unit.seen.replace(verified=verified, exposure=exposure))

    def _hidden(self, name: str, file: str) -> tuple[str, ...]:
        """Return packaged files of this name that do not count, because somebody has put one into /etc or /run."""
        first = USER[:2] if self._of_user else ADMINISTRATOR
        if os.path.dirname(file) not in first:
            return ()
        others = {os.path.realpath(other): other for folder in self._path if folder not in first
                  if os.path.isfile(other := os.path.join(folder, name))}  # fmt: skip
        return tuple(other for real, other in others.items() if real != os.path.realpath(file))

    def _facts(self, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return what systemd knows of units, if it runs here. It refuses a question about templates."""
        names = [name for name in names if not Name(name).is_template]
        if not names or not (self._of_user or os.path.isdir(systemd.BOOTED)):
            return {}
        try:
            answers = systemd.Show(names, self._environ, of_user=self._of_user).answer()
        except systemd.Unanswered as error:
            self._miss(f"systemd: {error}")
            return {}
        return dict(zip(names, answers, strict=False)) if len(answers) == len(names) else {}

    def _folders(self) -> tuple[str, ...]:
        if not self._of_user:
            vendor = SYSTEM[len(ADMINISTRATOR) :]
            own = [folder for folder in search_path(()) if folder not in vendor]
            return tuple(dict.fromkeys((*own, LOCAL, *vendor)))
        config = self._environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        data = self._environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
        return (f"{config}/systemd/user", *USER[:2], f"{data}/systemd/user", *USER[2:])

    def _places(self) -> Roots:
        """Return the directories that systemd gives a unit, also while an embedded overlord would take others."""
        if not self._of_user:
            return Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
        home = os.path.expanduser("~")
        state = self._environ.get("XDG_STATE_HOME") or f"{home}/.local/state"
        runtime = self._environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        cache = self._environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
        return Roots(runtime, state, cache, f"{state}/log", self._environ.get("XDG_CONFIG_HOME") or f"{home}/.config")

    def _miss(self, what: str) -> None:
        self.missing[what] = None
