"""Starting a process of a unit: what it is started with is found out here; what it does then is in child.py.

The keeper forks it where it can (keeper.py): a fork costs as much as there is memory to share, and the keeper is small.
"""

from __future__ import annotations

import os

from hafta.frozen import Frozen
from hafta.overlord import attributes, streams
from hafta.overlord.child import Child, Launch, become
from hafta.overlord.dirs import make_below, make_folders
from hafta.process.fork import quiet
from hafta.process.table import MARKER
from hafta.units.environment import compose
from hafta.units.execstart import as_run, find_program, resolve
from hafta.units.specifiers import caller
from hafta.units.unit import Credentials
from hafta.units.users import find_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.overlord.context import Context
    from hafta.overlord.keeper import Keeper
    from hafta.overlord.roll import Berth
    from hafta.units.unit import Command, Unit


class Errand(Frozen):
    """What a command is started with that the unit file does not say."""

    variables: Mapping[str, str] = {}
    control: bool = False  # not ExecStart=: no watchdog, and NOTIFY_SOCKET only where it may be used


def spawn(launch: Launch, berth: Berth | None = None, keeper: Keeper | None = None) -> Child:
    """Start a process, which takes its place before it does anything else. Raises OSError if there can be no more."""
    pipes: list[int] = []
    try:
        pipes += os.pipe2(os.O_CLOEXEC)
        pipes += os.pipe2(os.O_CLOEXEC)
        output, output_end, report, report_end = pipes
        pid = 0
        if keeper and berth and launch.is_plain:
            pid = keeper.fork(launch, berth, output_end, report_end)
        pid = pid or _fork(launch, berth, output_end, report_end)
    except OSError:
        if berth:
            berth.taken(0)
        for fd in pipes:
            os.close(fd)
        raise
    if berth:
        berth.taken(pid)
    os.close(output_end)
    os.close(report_end)
    os.set_blocking(output, False)
    return Child(pid, output, report)


def _fork(launch: Launch, berth: Berth | None, output: int, report: int) -> int:
    """Fork the child here."""
    parent = os.getpid()
    with quiet():
        pid = berth.fork() if berth else os.fork()
        if pid == 0:
            become(launch, berth, parent, output, report)  # pragma: no cover - a fork is traced from its next call on
    return pid


def prepare(unit: Unit, command: Command, context: Context, errand: Errand) -> Launch:
    """Make the unit's directories and return how a command of it is to be started.

    Raises OSError for a directory that cannot be made, UnitError for an environment file that cannot be read.
    """
    command = as_run(command)
    who = find_credentials(unit.account)
    own = {**_own_variables(unit, who, context, errand), **errand.variables}
    environment = {**compose(unit, who, context.environ, context.extra_for(unit.name), command), **own}
    argv = list(command.argv) if command.plain else resolve(command.argv, environment)
    credentials = _as_allowed(command, who)
    directory, optional = unit.working_directory
    if directory == "~":
        directory = who.home or caller().pw_dir
    return Launch(
        path=find_program(command.path),
        argv=argv,
        environment=environment,
        directory=(directory, optional),
        umask=unit.umask,
        credentials=credentials,
        limits=(context.descriptors, *(() if command.privileged else unit.limits)),
        ignore_sigpipe=unit.ignore_sigpipe,
        watched="WATCHDOG_USEC" in own,
        journal=context.recording.path,
        steps=_steps(unit, command, credentials),
    )


def _steps(unit: Unit, command: Command, credentials: Credentials) -> attributes.Steps:
    """Return what is set for a command. The prefix + leaves all but its streams and how it is scheduled."""
    found = attributes.steps_of(unit.attributes, credentials.uid)
    if redirections := streams.steps_of(unit.standard, unit.umask):
        found = found.replace(first=(*redirections, *found.first))
    return found.without_privileges() if command.privileged else found


def _as_allowed(command: Command, who: Credentials) -> Credentials:
    """Return who a command runs as. The prefixes + and ! keep our own user; but a user that is missing is an error."""
    missing = who.missing_user or who.missing_group
    return Credentials() if (command.privileged or command.keeps_user) and not missing else who


def make_runtime_directories(unit: Unit, root: str) -> None:
    """Make the runtime directories of a unit that is up once more. Raises OSError."""
    owner = _owner(find_credentials(unit.account))
    for name in unit.directories.runtime.names:
        if not os.path.isdir(os.path.join(root, name)):
            make_below(root, name, unit.directories.runtime.mode, owner)


def _own_variables(unit: Unit, who: Credentials, context: Context, errand: Errand) -> dict[str, str]:
    """Return what only the overlord can say."""
    found = {MARKER: f"{context.identity}/{unit.name}", "INVOCATION_ID": context.invocation(unit.name)}
    if unit.notify_access != "none" and not (errand.control and unit.notify_access == "main"):
        found["NOTIFY_SOCKET"] = context.notify_path
    if unit.watchdog_sec and not errand.control:
        found["WATCHDOG_USEC"] = str(round(unit.watchdog_sec * 1_000_000))
    owner = _owner(who)
    for kind, folders in unit.directories.kinds():
        paths = make_folders(kind, folders, getattr(context.roots, kind), owner)
        found[f"{kind.upper()}_DIRECTORY"] = ":".join(paths)
    return found


def _owner(who: Credentials) -> tuple[int, int] | None:
    """Return whose a unit's directories are to be; None: ours."""
    return (who.uid, who.gid) if who.uid >= 0 else None
