"""From the settings to a running overlord and back to an exit status."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager

from hafta import exits, settings
from hafta.descriptors import fill_standard, seal
from hafta.errors import HaftaError
from hafta.journal.complaint import complain
from hafta.overlord.options import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafta.overlord.estate import Estate
    from hafta.overlord.keeper import Keeper
    from hafta.overlord.locks import Lock
    from hafta.overlord.plan import Plan
    from hafta.overlord.roll import Roll
    from hafta.settings import Values

CLAIMS = 10  # tries to have the shared directories


def use_utf8() -> None:
    """Start again as UTF-8 where the locale is something else.

    Unit files are UTF-8, and their bytes must reach the kernel as they are, in arguments, variables and paths.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - without a shell


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say what was being done when the system said no."""
    try:
        yield
    except OSError as error:
        problem = f"cannot {what}: {error.strerror}"
        raise HaftaError(problem, "see whether a limit or a full disk is the cause", status=exits.SYSTEM) from error


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


def run(values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the units; return the exit status. Raises HaftaError if nothing could be started."""
    fill_standard()
    seal()
    descriptors = _raise_descriptors()  # before the keeper is forked, which is to have as many
    keeper = _start_keeper()
    from hafta.overlord.overlord import STOP_SIGNALS
    from hafta.overlord.plan import make_plan

    try:
        plan = make_plan(values, operands, environ).replace(descriptors=descriptors)
    except BaseException:
        keeper.dismiss()
        raise
    # A signal to stop waits until the overlord can stop in order (Loop.listen), and so leaves nothing behind.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return _run(plan, keeper)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_keeper() -> Keeper:
    """Fork the keeper before anything is read (keeper.py, rule 7)."""
    import gc

    from hafta.overlord.keeper import Keeper

    keeper = Keeper()
    gc.freeze()  # no search for garbage is to touch the pages that both share
    with doing("start the keeper"):
        keeper.start()
    return keeper


def _run(plan: Plan, keeper: Keeper) -> int:
    from hafta.journal.terminal import wants_colour
    from hafta.overlord.console import Console
    from hafta.overlord.dirs import make_private
    from hafta.overlord.heir import inherit, write_folders
    from hafta.overlord.notifications import NotifySocket
    from hafta.overlord.overlord import Overlord
    from hafta.overlord.tmpfiles import prepare_run
    from hafta.process.cgroup import make_cgroup

    # As root, services of other users must reach the socket; the kernel's word on the sender decides who may say what.
    for_others = os.geteuid() == 0
    estate = _claim(plan, 0o711 if for_others else 0o700)
    try:
        killed = inherit(plan.roots.control, plan.roots.runtime, plan.identity)
    except BaseException:
        estate.release()
        raise
    if killed:
        plan = plan.replace(notes=(*plan.notes, _inherited(killed)))
    estate = estate.replace(cgroup=None if plan.table else make_cgroup(plan.identity))
    with doing("start the keeper"):
        keeper.entrust(estate)  # before anything is made that it would have to remove
    make_private(plan.own, 0o711 if for_others else 0o700)
    write_folders(plan.own, estate.names, estate.links)
    plan = plan.replace(notes=(*plan.notes, *prepare_run(plan.roots)))
    notify_path = os.path.join(plan.own, "notify")
    with doing(f"make the socket {notify_path}"):
        notifications = NotifySocket(notify_path, 0o777 if for_others else 0o700)
    console = Console(1, colour=os.isatty(1) and wants_colour(plan.environ))
    with doing("prepare to run"):
        overlord = Overlord(plan, estate, keeper, notifications, console)
    return overlord.run()


def _claim(plan: Plan, mode: int) -> Estate:
    """Make the shared directories and lock the units; return what is to be cleared away at the end."""
    from hafta.overlord.estate import Estate
    from hafta.overlord.folders import removable, runtime_directories
    from hafta.process.stat import started

    control = plan.roots.control
    folders = (os.path.join(control, "lock"), control, *removable(plan.roots, plan.units.values()))
    locks, roll = _lock(plan, mode, tries=CLAIMS)
    names, links = runtime_directories(plan.units.values())
    since = int(started(os.getpid()) or 0)
    root = plan.roots.runtime
    return Estate(plan.identity, root, plan.own, names, folders, tuple(locks), roll, since=since, links=links)


def _lock(plan: Plan, mode: int, tries: int) -> tuple[list[Lock], Roll]:
    from hafta.overlord.dirs import make_private, own_run
    from hafta.overlord.locks import acquire_all
    from hafta.overlord.roll import SUFFIX, Roll

    folder = os.path.join(plan.roots.control, "lock")
    try:
        own_run(plan.roots.runtime)
        make_private(plan.roots.runtime, mode)
        make_private(plan.roots.control, mode)
        make_private(folder)
        locks = acquire_all(folder, plan.units)
    except HaftaError as error:
        # Another overlord that ends just now removes the directories that it leaves empty.
        if not isinstance(error.__cause__, FileNotFoundError) or tries == 1:
            raise
        return _lock(plan, mode, tries - 1)
    try:
        return locks, Roll(plan.own + SUFFIX)
    except OSError as error:
        for lock in locks:
            lock.release()
        problem = f"cannot make {plan.own}{SUFFIX}: {error.strerror}"
        raise HaftaError(problem, "choose another directory with --runtime-dir", status=exits.SYSTEM) from error


def _inherited(killed: int) -> str:
    what = "1 process" if killed == 1 else f"{killed} processes"
    return f"an earlier overlord and its keeper were killed: ended {what} that they had left"


def _raise_descriptors() -> tuple[int, int, int]:
    """Have as many descriptors as we may; return the limit as it was, which is what services get.

    A unit takes five of them: its output, its report, its lock.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return resource.RLIMIT_NOFILE, soft, hard
    return resource.RLIMIT_NOFILE, soft, hard
