"""A unit as the rules see it: all its assignments with their places, and what was found out about it."""

from __future__ import annotations

import os
from itertools import pairwise

from hafta.check.rule import Spot, at
from hafta.frozen import Frozen
from hafta.guard.options import PROGRAM as GUARD
from hafta.settings import parse, switch
from hafta.units.directives import DIRECTIVES
from hafta.units.unitfile import in_force

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.settings import Values
    from hafta.units.specifiers import Specifiers
    from hafta.units.unitfile import Entry

OWN = frozenset(("hafta-server", "hafta-client"))
INFINITE = float("inf")
OLDEST = 252  # of the releases of systemd that this is for


class Seen(Frozen):
    """What was found out about a unit besides its text. None: it could not be found out."""

    systemd: int = OLDEST  # the release that the unit is judged for
    of_user: bool = False
    imports: frozenset[str] = frozenset()  # modules that the script of ExecStart= imports
    exposure: float | None = None  # by systemd-analyze security
    verified: tuple[Spot, ...] = ()  # what systemd-analyze verify says
    stale: bool = False  # its files have changed since systemd read them
    masked: str = ""  # the file that masks it
    hides: tuple[str, ...] = ()  # files of the same name that do not count


class Merged(Frozen):
    """A unit with its drop-ins. `problems` is what cannot be understood, `unheeded` what `hafta run` does not do."""

    name: str
    file: str
    specifiers: Specifiers
    drop_ins: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    problems: tuple[Spot, ...] = ()
    unheeded: tuple[Spot, ...] = ()
    seen: Seen = Seen()

    def all(self, name: str, section: str = "Service") -> list[Entry]:
        """Return the assignments of a directive that count if it adds up."""
        return in_force(one for one in self.entries if (one.section, one.name) == (section, name))

    def last(self, name: str, section: str = "Service") -> Entry | None:
        """Return the assignment that counts; None if there is none, or the last one is empty."""
        found = self.all(name, section)
        return found[-1] if found else None

    def value(self, name: str, default: Any = None, section: str = "Service") -> Any:
        """Return the value of a directive; the default if it has none, or one that cannot be understood."""
        entry = self.last(name, section)
        directive = DIRECTIVES[section].get(name)
        if entry is None:
            return default
        if directive is None:
            return entry.value
        try:
            return directive.read(entry.value, self.specifiers)
        except ValueError:
            return default

    def each(self, name: str, section: str = "Service") -> list[Any]:
        """Return the values of a directive that adds up, those that can be understood."""
        found: list[Any] = []
        for entry in self.all(name, section):
            try:
                found += DIRECTIVES[section][name].read(entry.value, self.specifiers)
            except ValueError:
                continue
        return found

    def spot(self, text: str, *names: str) -> Spot:
        """Return a spot at the first of these directives of [Service] that the unit has; else the unit itself."""
        entry = next(filter(None, map(self.last, names)), None)
        return at(entry, text) if entry else Spot(text, self.file)

    def specifiers_in(self, text: str) -> str:
        """Return a text with its specifiers resolved; as it is, if one of them does not exist."""
        try:
            return self.specifiers.expand(text)
        except ValueError:
            return text

    @property
    def is_service(self) -> bool:
        """Whether it has a process."""
        return self.name.endswith(".service")

    @property
    def type(self) -> str:
        """Type=, as systemd takes it if there is none."""
        entry = self.last("Type")
        if not self.last("ExecStart"):
            return "oneshot"
        is_of_bus = entry.value == "dbus" if entry else self.last("BusName")
        return "dbus" if is_of_bus else str(self.value("Type", "simple"))

    @property
    def is_kept_up(self) -> bool:
        """Whether it is a service that is to run until it is asked to stop."""
        return self.is_service and self.type != "oneshot"

    @property
    def watchdog(self) -> float:
        """WatchdogSec=, in seconds; 0: none."""
        return float(self.value("WatchdogSec", 0.0)) if self.is_service else 0.0

    @property
    def words(self) -> tuple[str, ...]:
        """The command line of the main process, without prefixes."""
        commands = self.each("ExecStart")
        return (commands[0].path, *commands[0].argv[1:]) if commands else ()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of Environment=. What files of variables say is not known."""
        return dict(self.each("Environment"))

    @property
    def guard(self) -> Values | None:
        """The options of `hafta guard`, if the main process is one, and they can be understood."""
        words, first = self.words, self._guard_at + 1
        if not first:
            return None
        try:
            end = words.index("--", first) if "--" in words[first:] else len(words)
            return parse(GUARD, [*words[first:end], "--", "program"], self.environment)[0]
        except Exception:  # a wrong option is the guard's to report, with its own words
            return None
        except SystemExit:  # --help
            return None

    @property
    def is_guarded(self) -> bool:
        """Whether the main process is `hafta guard`."""
        return self._guard_at >= 0

    @property
    def _guard_at(self) -> int:
        """Where in the command line `guard` is, that of hafta; -1 if it is not."""
        words = self.words
        if "guard" in words:
            at_ = words.index("guard")
            if (at_ == 1 and os.path.basename(words[0]) == "hafta") or words[at_ - 2 : at_] == ("-m", "hafta.cli"):
                return at_
        return -1

    @property
    def program(self) -> tuple[str, ...]:
        """The command line of the program itself: below a guard, if there is one."""
        words = self.words
        return words[words.index("--") + 1 :] if self.is_guarded and "--" in words else words

    @property
    def is_body(self) -> bool:
        """Whether the main process is a service of HAFTA's own making: it counts its crashes, and holds itself back."""
        words = self.words
        if not self.is_kept_up or not words or self.is_guarded:
            return False
        named = os.path.basename(words[0]) in OWN or any(
            pair[0] == "-m" and pair[1].split(".")[0] == "hafta" for pair in pairwise(words)
        )
        by_settings = any(name.startswith("HAFTA_") for name in self.environment)
        return named or by_settings or "hafta" in self.seen.imports

    @property
    def is_ours(self) -> bool:
        """Whether HAFTA runs in it: a service of its making, or a guard."""
        return self.is_service and (self.is_guarded or self.is_body)

    def setting(self, name: str) -> str:
        """Return what the command line or Environment= gives a setting of a service; empty if neither does."""
        words, option = self.words, f"--{name}"
        for at_, word in enumerate(words):
            if word.startswith(f"{option}="):
                return word.partition("=")[2]
            if word == option:
                return words[at_ + 1] if at_ + 1 < len(words) else ""
        return self.environment.get(f"HAFTA_{name.upper().replace('-', '_')}", "")

    def is_on(self, name: str) -> bool:
        """Tell whether the command line or Environment= switches a setting of a service on."""
        try:
            return f"--{name}" in self.words or switch(self.environment.get(f"HAFTA_{name.upper()}", "no"))
        except ValueError:
            return False  # the service refuses it, with its own words

    @property
    def is_durable(self) -> bool:
        """Whether it is known to keep checkpoints."""
        return self.is_body and (self.is_on("durable") or os.path.basename(self.words[0]) == "hafta-client")
