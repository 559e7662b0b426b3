"""From a unit to what its child needs to know: environment, directories, arguments."""

from __future__ import annotations

import os

from hafta.overlord.dirs import make_below
from hafta.overlord.environment import MARKER, compose
from hafta.overlord.execstart import resolve
from hafta.overlord.spawn import Launch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.overlord.context import Context
    from hafta.overlord.unit import Command, Unit


def prepare(unit: Unit, command: Command, context: Context) -> Launch:
    """Make the unit's directories and return how its main process is to be started.

    Raises OSError for a directory that cannot be made, UnitError for an environment file that cannot be read.
    """
    own = _own_variables(unit, context)
    environment = {**compose(unit, context.environ, context.extra_for(unit.name)), **own}
    argv = list(command.argv) if command.plain else resolve(command.argv, environment)
    directory, optional = unit.working_directory
    return Launch(
        path=command.path,
        argv=argv,
        environment=environment,
        directory=directory,
        directory_optional=optional,
        umask=unit.umask,
        credentials=unit.credentials,
        limits=unit.limits,
        ignore_sigpipe=unit.ignore_sigpipe,
        watched="WATCHDOG_USEC" in own,
    )


def _own_variables(unit: Unit, context: Context) -> dict[str, str]:
    """Return what only the overlord can say."""
    found = {MARKER: f"{context.identity}/{unit.name}", "INVOCATION_ID": os.urandom(16).hex()}
    if unit.notify_access != "none":
        found["NOTIFY_SOCKET"] = context.notify_path
    if unit.watchdog_sec:
        found["WATCHDOG_USEC"] = str(round(unit.watchdog_sec * 1_000_000))
    kinds = (
        ("RUNTIME_DIRECTORY", context.roots.runtime, unit.runtime_directory, unit.runtime_mode),
        ("STATE_DIRECTORY", context.roots.state, unit.state_directory, unit.state_mode),
    )
    owner = (unit.credentials.uid, unit.credentials.gid) if unit.credentials.uid >= 0 else None
    for variable, root, names, mode in kinds:
        if names:
            found[variable] = ":".join([make_below(root, name, mode, owner) for name in names])
    return found
