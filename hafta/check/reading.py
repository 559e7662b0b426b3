"""From the files of a unit to what the rules see. No content of a file raises: what cannot be understood is a spot."""

from __future__ import annotations

import re

from hafta.check.rule import Spot, at
from hafta.check.unit import Merged
from hafta.errors import UsageError
from hafta.units.directive import NotHere
from hafta.units.directives import DIRECTIVES
from hafta.units.files import read_text, reason
from hafta.units.ignored import is_harmless, is_sandbox
from hafta.units.read import read_unit
from hafta.units.streams import Stream
from hafta.units.unitfile import UnitError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafta.units.specifiers import Specifiers
    from hafta.units.unitfile import Entry

_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+([A-Za-z_][\w.]*(?:[ \t]*,[ \t]*[A-Za-z_][\w.]*)*)", re.MULTILINE)
_HEAD = re.compile(r"^(/[^\n]*?:\d+: )")
_SECTIONS = frozenset(("Unit", "Install", "Service", "Socket"))


def merged(name: str, files: tuple[str, ...], specifiers: Specifiers) -> Merged:
    """Return a unit. Raises PermissionError for a file that may not be read."""
    entries: list[Entry] = []
    problems: list[Spot] = []
    for file in files:
        wrong: list[UnitError] = []
        try:
            entries += parse(read_text(file), file, wrong)
        except PermissionError:
            raise
        except (OSError, ValueError) as error:
            problems.append(Spot(f"cannot be read: {reason(error)}", file))
        problems += map(_spot, wrong)
    good = []
    unheeded: list[Spot] = []
    is_refused = False  # by `hafta run`, of what systemd takes
    for entry in entries:
        what, is_for_systemd = _wrong(entry, specifiers)
        if what and not is_for_systemd:
            problems.append(at(entry, what))
            continue
        good.append(entry)
        if what:
            unheeded.append(at(entry, f"hafta run refuses the unit: {what}"))
        elif _is_unheeded(entry, specifiers):
            unheeded.append(at(entry, f"hafta run does not act on {entry.name}={entry.value}"))
        is_refused = is_refused or bool(what) or entry.name == "SuccessAction"
    if not problems and not is_refused:
        problems += _whole(good, specifiers)
    return Merged(name, files[0], specifiers, files[1:], tuple(good), tuple(problems), tuple(unheeded))


def imports_of(words: Iterable[str]) -> frozenset[str]:
    """Return the top-level modules that a program imports, if it is a script of Python that can be read."""
    for word in words:
        if not word.startswith("/"):
            continue
        try:
            text = read_text(word)
        except (OSError, ValueError):
            continue
        if word.endswith(".py") or ("python" in text.partition("\n")[0] and text.startswith("#!")):
            return frozenset(
                name.strip().split(".")[0] for found in _IMPORT.findall(text) for name in found.split(",")
            )  # fmt: skip
    return frozenset()


def _spot(error: UnitError) -> Spot:
    return Spot(_HEAD.sub("", error.message), error.file, error.line)


def _wrong(entry: Entry, specifiers: Specifiers) -> tuple[str, bool]:
    """Return what is wrong with an assignment (empty: nothing that we know of), and whether systemd takes it."""
    directive = DIRECTIVES.get(entry.section, {}).get(entry.name)
    if directive is None or entry.section not in {"Unit", specifiers.name.suffix.capitalize()}:
        return "", True
    if not entry.value and directive.forgets:
        return "", True
    try:
        directive.read(entry.value, specifiers)
    except ValueError as error:
        return f"{entry.name}={entry.value}: expected {error}", isinstance(error, NotHere)
    return "", True


def _whole(entries: list[Entry], specifiers: Specifiers) -> list[Spot]:
    """Return what is wrong with a unit of which each line is right."""
    try:
        read_unit(entries, specifiers)
    except UnitError as error:
        text = _HEAD.sub("", error.message).removeprefix(f"{specifiers.file}: ")
        return [Spot(text, error.file or specifiers.file, error.line)]
    except UsageError as error:
        return [Spot(error.message, specifiers.file)]
    return []


def _is_unheeded(entry: Entry, specifiers: Specifiers) -> bool:
    """Tell whether `hafta run` leaves an assignment out, as read_unit() does, but for the sandbox."""
    if entry.section not in _SECTIONS or not entry.value:
        return False
    known = DIRECTIVES.get(entry.section, {})
    if entry.name in known and entry.section in {"Unit", specifiers.name.suffix.capitalize()}:
        found = known[entry.name].read(entry.value, specifiers)
        return (isinstance(found, Stream) and not found.is_honoured) or (entry.name, found) == ("KillMode", "none")
    return not is_harmless(entry) and not is_sandbox(entry.name)
