"""Which directories an overlord has to remove at its end: those of its units, and those that it has made for them."""

from __future__ import annotations

import os

from hafta.units.roots import CONTROL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hafta.units.folders import Folder
    from hafta.units.roots import Roots
    from hafta.units.unit import Unit

#: Roots of the system, which stay when they are empty.
SYSTEM = ("/var/cache", "/var/log", "/var/lib")


def runtime_directories(units: Iterable[Unit]) -> tuple[tuple[str, ...], tuple[Folder, ...]]:
    """Return the runtime directories that are to go at the end, and the links to them."""
    kept = [unit.directories.runtime for unit in units if unit.runtime_preserve != "yes"]
    return tuple(name for each in kept for name in each.names), tuple(link for each in kept for link in each.links)


def removable(roots: Roots, units: Collection[Unit]) -> list[str]:
    """Return the directories that are to go when they are empty, deepest first: all but the system's."""
    found: list[str] = []
    for kind, root in (("cache", roots.cache), ("logs", roots.logs), ("state", roots.state)):
        names = [name for unit in units for name in getattr(unit.directories, kind).names]
        if root not in SYSTEM and (names or kind == "state"):
            found += [path for name in names for path in _from_to(name, root)]
            found += _owned(root, kind)
    if roots.runtime != "/run":
        folders = [unit.directories.runtime for unit in units]
        names = [name for each in folders for name in (*each.names, *(link for _, link in each.links))]
        found += [path for name in names for path in _from_to(name, roots.runtime)[1:]]  # they themselves are trees
        found.append(roots.runtime)
    return found


def _owned(root: str, kind: str) -> list[str]:
    """Return a root and those above it that are ours or not there yet, deepest first; ~/.cache is everybody's."""
    if kind != "state" and CONTROL not in root.split("/"):
        return _missing_above(os.path.join(root, kind))
    above = os.path.dirname(root)
    ours = [above] if os.path.basename(above) == CONTROL and os.path.isdir(above) else []
    return [root, *ours, *_missing_above(root)]


def _from_to(name: str, root: str) -> list[str]:
    """Return the directory `name` below a root and those between them, deepest first."""
    parts = name.split("/")
    return [os.path.join(root, *parts[:count]) for count in range(len(parts), 0, -1)]


def _missing_above(path: str) -> list[str]:
    """Return the directories above a path that are not there yet, so that making the path makes them."""
    found = []
    while (above := os.path.dirname(path)) not in {path, ""} and not os.path.isdir(above):
        found.append(above)
        path = above
    return found
