"""Whether a unit is enabled: systemctl(1), is-enabled. Looks at links and [Install] sections, and changes nothing.

Enabled is what hangs on another unit by a link that `systemctl enable` has made, in a directory that is not a vendor's.
A vendor's own links belong to its units, and say nothing about what the administrator has chosen.
"""

from __future__ import annotations

import os

from hafta.units.files import read_text
from hafta.units.load import SYSTEM, is_masked
from hafta.units.names import Names, listed
from hafta.units.unitfile import UnitError, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

VENDOR = tuple(folder for folder in SYSTEM if "/lib/" in f"{folder}/")
_HOOKS = (".wants", ".requires", ".upholds")
_LINKING = frozenset(("Alias", "RequiredBy", "UpheldBy", "WantedBy"))


class Enabled:
    """The links of some directories of units, looked at once."""

    def __init__(self, path: Sequence[str]) -> None:
        self._names = Names(path)
        self._links: dict[str, list[str]] = {}
        for folder in path:
            if os.path.realpath(folder) not in map(os.path.realpath, VENDOR):
                for hook in listed(folder):
                    for link in listed(os.path.join(folder, hook)) if hook.endswith(_HOOKS) else ():
                        self._links.setdefault(link, []).append(folder)

    def state(self, name: str) -> str:
        """Return the state of a unit's file; empty if there is none."""
        own, file = self._names.resolve(name)
        if not file:
            return ""
        runtime = "-runtime" if file.startswith("/run/") else ""
        if is_masked(file):
            return f"masked{runtime}"
        if own != name:
            return "alias"
        folders = [folder for each in self._names.all_of(own) for folder in self._links.get(each, ())]
        if folders:
            return "enabled" if any(not folder.startswith("/run/") for folder in folders) else "enabled-runtime"
        said = _installed(file)
        return "disabled" if said & _LINKING else "indirect" if "Also" in said else "static"


def _installed(file: str) -> set[str]:
    """Return the directives of the [Install] section that have a value; none if the file cannot be read."""
    try:
        entries = parse(read_text(file), file)
    except (OSError, ValueError, UnitError):
        return set()
    return {entry.name for entry in entries if entry.section == "Install" and entry.value}
