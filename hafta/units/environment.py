"""The environment of a service: a clean one, as systemd gives, and what its unit adds."""

from __future__ import annotations

from hafta.units.envfile import PATH, read_file
from hafta.units.files import has_wildcards, matching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.units.unit import Command, Credentials, Unit

_FROM_OURS = ("LANG", "LANGUAGE", "TZ")
_OF_USER = ("HOME", "USER", "LOGNAME", "SHELL")


def compose(
    unit: Unit, who: Credentials, ours: Mapping[str, str], extra: Mapping[str, str], command: Command
) -> dict[str, str]:
    """Return the environment of a command; `extra` comes last and wins over all but what is unset.

    Raises UnitError for an EnvironmentFile= that cannot be read.
    """
    passed = (*_FROM_OURS, *(name for name in ours if name.startswith("LC_")), *unit.pass_environment)
    found = {"PATH": PATH, **{name: ours[name] for name in passed if name in ours}, **_user(who, ours)}
    found.update(unit.environment)
    for path, optional in unit.environment_files:
        for each in _matching(path):
            found.update(read_file(each, unit.name, optional=optional))
    found.update(command.environment)
    found.update(extra)
    for word in unit.unset_environment:
        name, equals, value = word.partition("=")
        if name in found and (not equals or found[name] == value):
            del found[name]
    return found


def _matching(path: str) -> list[str]:
    """Return the files that a path with wildcards means, in order; itself if none is there."""
    return sorted(matching(path)) or [path] if has_wildcards(path) else [path]


def _user(who: Credentials, ours: Mapping[str, str]) -> dict[str, str]:
    if who.name:
        return {"HOME": who.home, "USER": who.name, "LOGNAME": who.name, "SHELL": who.shell}
    return {name: ours[name] for name in _OF_USER if name in ours}
