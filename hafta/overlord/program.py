"""From the settings to a running overlord and back to an exit status."""

from __future__ import annotations

import os
import signal
import sys

from hafta import exits, settings
from hafta.errors import HaftaError
from hafta.journal.entry import printable
from hafta.overlord.options import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.overlord.keeper import Estate
    from hafta.overlord.locks import Lock
    from hafta.overlord.plan import Plan
    from hafta.settings import Values

CLAIMS = 10  # tries to have the shared directories


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta run` with these arguments; an error is one line that says what and one that says what to do."""
    argv = sys.argv[1:] if argv is None else argv
    environ = dict(os.environ) if environ is None else environ
    debug = "--debug" in argv
    try:
        values, operands = settings.parse(PROGRAM, argv, environ)
        debug = values.debug
        return run(values, operands, environ)
    except (HaftaError, OSError) as error:
        return complain(error, debug=debug)


def complain(
    error: HaftaError | OSError, *, debug: bool = False, otherwise: str = "run it with --debug to see where"
) -> int:
    """Say what is wrong on stderr and return the exit status. `otherwise`: the hint for what the system said."""
    if debug:
        import traceback

        traceback.print_exception(error)
    hint = error.hint if isinstance(error, HaftaError) else otherwise
    status = error.status if isinstance(error, HaftaError) else exits.SYSTEM
    tell(f"hafta: error: {printable(str(error))}", f"hafta: {printable(hint)}")
    return status


def tell(*lines: str) -> None:
    """Say something on stderr. Where that cannot be written to, the exit status has to do."""
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # else the interpreter fails at its end, with a status of its own


def run(values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the units; return the exit status. Raises HaftaError if nothing could be started."""
    from hafta.overlord.overlord import STOP_SIGNALS
    from hafta.overlord.plan import make_plan

    _fill_standard_descriptors()
    plan = make_plan(values, operands, environ)
    # Whoever wants to stop it now, waits until it can be stopped in order (Loop.listen), and leaves nothing behind.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return _run(plan)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(plan: Plan) -> int:
    from hafta.journal.terminal import wants_colour
    from hafta.overlord.console import Console
    from hafta.overlord.dirs import make_private
    from hafta.overlord.keeper import Keeper
    from hafta.overlord.notifications import NotifySocket
    from hafta.overlord.overlord import Overlord

    # As root, services of other users must reach the socket; the kernel's word on the sender decides who may say what.
    for_others = os.geteuid() == 0
    estate = _claim(plan, 0o711 if for_others else 0o700)
    keeper = Keeper(estate)
    keeper.start()  # before anything is made that it would have to remove
    make_private(plan.own, 0o711 if for_others else 0o700)
    notifications = NotifySocket(os.path.join(plan.own, "notify"), 0o777 if for_others else 0o700)
    console = Console(1, colour=os.isatty(1) and wants_colour(plan.environ))
    return Overlord(plan, estate, keeper, notifications, console).run()


def _claim(plan: Plan, mode: int) -> Estate:
    """Make the shared directories and lock the units; return what is to be cleared away at the end."""
    from hafta.overlord.keeper import Estate

    control = plan.roots.control
    folders = (os.path.join(control, "lock"), control, *_removable(plan))
    locks = _lock(plan, mode, tries=CLAIMS)
    trees = (plan.own, *_runtime_directories(plan))
    return Estate(plan.identity, trees, folders, tuple(locks))


def _lock(plan: Plan, mode: int, tries: int) -> list[Lock]:
    from hafta.overlord.dirs import make_private
    from hafta.overlord.locks import acquire_all

    folder = os.path.join(plan.roots.control, "lock")
    try:
        make_private(plan.roots.runtime, mode)
        make_private(plan.roots.control, mode)
        make_private(folder)
        return acquire_all(folder, plan.units)
    except HaftaError as error:
        # Another overlord that ends just now removes the directories that it leaves empty.
        if not isinstance(error.__cause__, FileNotFoundError) or tries == 1:
            raise
    return _lock(plan, mode, tries - 1)


def _runtime_directories(plan: Plan) -> list[str]:
    units = [unit for unit in plan.units.values() if unit.runtime_preserve != "yes"]
    return [os.path.join(plan.roots.runtime, name) for unit in units for name in unit.runtime_directory]


def _removable(plan: Plan) -> list[str]:
    """Return the directories that are to go when they are empty, deepest first: all but the system's."""
    roots, units = plan.roots, plan.units.values()
    found: list[str] = []
    if roots.state != "/var/lib":
        found += [path for unit in units for name in unit.state_directory for path in _from_to(name, roots.state)]
        found += [roots.state, *_missing_above(roots.state)]
    if roots.runtime != "/run":
        names = [name for unit in units for name in unit.runtime_directory]
        found += [path for name in names for path in _from_to(name, roots.runtime)[1:]]  # they themselves are trees
        found.append(roots.runtime)
    return found


def _from_to(name: str, root: str) -> list[str]:
    """Return the directory `name` below a root and those between them, deepest first."""
    above = os.path.dirname(name)
    return [os.path.join(root, name), *(_from_to(above, root) if above else ())]


def _missing_above(path: str) -> list[str]:
    """Return the directories above a path that are not there yet, so that making the path makes them."""
    above = os.path.dirname(path)
    return [] if os.path.isdir(above) else [above, *_missing_above(above)]


def _fill_standard_descriptors() -> None:
    """Have something at 0, 1 and 2: a file that took one of these numbers would be mistaken for it."""
    fd = os.open("/dev/null", os.O_RDWR)
    while fd <= 2:
        fd = os.dup(fd)
    os.close(fd)
