"""What the overlord makes of a unit: refused, or run with what lost.

Nothing here knows which directives the overlord heeds: its reader says it of each unit, from the tables in
hafta/units/directives.py. A unit starts as meant if it is accepted together with all that it requires, and none of
these loses anything that matters before it is up; it also reloads and stops as meant if nothing is lost at all. The
sandbox, which the overlord never has, counts for neither: it says so in one line, and a container is one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from hafta.errors import UsageError
from hafta.units import load
from hafta.units.directives import DIRECTIVES
from hafta.units.ignored import is_harmless
from hafta.units.roots import Roots
from hafta.units.unit import Unit
from hafta.units.unitfile import Entry

ROOTS = Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
#: What is lost here matters to a unit that is up: how it reloads, stops, and what its end makes others do.
LATER = re.compile(
    r"(\[\w+\] |the prefix \S+ of )?(Exec(Reload|Stop)|On(Failure|Success)|Propagates|ReloadPropagated"
    r"|StopPropagated|StopWhen|KillMode|Reload|Restart(Kill|Mode)|FinalKill|Success|Failure|RefuseManual|AllowIsolate|JobTimeout)"
)
#: Refusals that are right: what the message says, and why.
RIGHT = {
    r"there is no unit": "requires a unit that nobody has",
    r"masked": "requires a unit that is masked",
    r"Type=dbus": "Type=dbus",
    r"SuccessAction=": "does nothing but to end the machine",
    r"StandardInput=tty": "wants a terminal",
    r"no ExecStart= for systemd-(exit|poweroff|reboot)\.": "has no process: ends the machine by SuccessAction=",
    r"\.(timer|path|mount|automount|swap|device)\b.*not": "a kind of unit that is not run here",
    r"Credential": "credentials",
}
_SECTION = re.compile(r"\[(.+)\]\s*$")
_LINE = re.compile(r"\s*([A-Za-z0-9-]+)\s*=")


class Verdict(NamedTuple):
    """What becomes of one unit. `lost` are directives that are not heeded, of its own and of what it requires."""

    refusal: str = ""
    lost: tuple[str, ...] = ()
    sandbox: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether it can be run."""
        return not self.refusal

    @property
    def at_start(self) -> tuple[str, ...]:
        """What is lost before it is up."""
        return tuple(name for name in self.lost if not LATER.match(name))

    @property
    def starts(self) -> bool:
        """Whether it starts as its author meant."""
        return self.is_accepted and not self.at_start

    @property
    def lives(self) -> bool:
        """Whether it also reloads and stops as meant."""
        return self.is_accepted and not self.lost

    @property
    def why_right(self) -> str:
        """Why its refusal is right; empty for a wrong one. Of several reasons, each must be right."""
        whys = [_why_right(reason) for reason in self.reasons]
        return "" if "" in whys else " and ".join(dict.fromkeys(whys))

    @property
    def reasons(self) -> list[str]:
        """What the refusal says, one reason after the other."""
        head = re.match(r"\d+ units cannot be run: ", self.refusal)
        return self.refusal[head.end() :].split("; ") if head else [self.refusal]


def _why_right(reason: str) -> str:
    return next((why for pattern, why in RIGHT.items() if re.search(pattern, reason)), "")


def judge(name: str, folder: Path) -> Verdict:
    """Load a unit and what it needs from a directory that stands for the system's."""
    load.SYSTEM = (*load.ADMINISTRATOR, str(folder))
    loader = load.Loader([str(folder)], ROOTS)
    try:
        units = loader.load([name])
    except UsageError as error:
        return Verdict(refusal=error.message.replace(f"{folder}/", ""))
    unit = units[loader.canonical(name)]
    together = _required(unit, units)
    lost = dict.fromkeys(each.directive for one in together for each in one.unheeded)
    silent = () if unit.file == "/dev/null" else _silent(unit)
    return Verdict("", tuple(lost), unit.sandbox, silent)


def _required(unit: Unit, units: dict[str, Unit]) -> list[Unit]:
    """Return the unit and all that it cannot start without."""
    found, waiting = {}, [unit]
    while waiting:
        one = waiting.pop()
        if one.name not in found:
            found[one.name] = one
            waiting += [units[name] for name in one.needs.required if name in units]
    return list(found.values())


def _silent(unit: Unit) -> tuple[str, ...]:
    """Return the directives in the unit's own file of which the reader says nothing: neither heeded nor named."""
    named = {each.directive for each in unit.unheeded} | set(unit.sandbox)
    section, found, goes_on = "", [], False
    for line in Path(unit.file).read_text(errors="surrogateescape").splitlines():
        is_continued, goes_on = goes_on, line.endswith("\\") and not line.lstrip().startswith(("#", ";"))
        if is_continued:
            continue
        if match := _SECTION.match(line):
            section = match[1]
        elif (match := _LINE.match(line)) and not section.startswith("X-"):
            name = match[1]
            entry = Entry(section, name, line[match.end() :].strip(), unit.file, 0)
            known = name in DIRECTIVES.get(section, {}) or is_harmless(entry)
            if not known and not named & {name, f"[{section}] {name}"}:
                found.append(f"[{section}] {name}")
    return tuple(found)
