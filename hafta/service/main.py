"""The main function of every service: from the command line to the exit status."""

from __future__ import annotations

import faulthandler
import os
import sys

from hafta import exits, settings
from hafta.descriptors import fill_standard
from hafta.directories import first
from hafta.errors import HaftaError
from hafta.runtime import enter, leave, use_reporter
from hafta.service import options
from hafta.service.children import keep_apart
from hafta.service.holdoff import Holdoff
from hafta.service.service import Service
from hafta.service.signals import check_thread, ignore, install, stop_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafta.service.warm.rules import Rule
    from hafta.settings import Program, Values


def main(
    program: Program,
    body: Callable[[Service, Values], None],
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    warm: bool = False,
    deadline: float | None = None,
    rules: Sequence[Rule] = (),
) -> int:
    """Run `body(service, values)` as a service and return the exit status.

    SIGTERM and SIGINT end it at once with status 0. An error is two lines, on the terminal or in the journal: what is
    wrong, and what to do. Each kind of error has its own status (hafta.exits). Only --debug shows the traceback.

    `warm` and `deadline` are the defaults of the settings --warm and --deadline; `rules` are what the parent looks at
    (docs/warm.md). With a warm parent this
    returns twice: in the parent, with the status to end with, and in the worker.
    """
    check_thread()
    program = options.complete(program, warm=warm, deadline=deadline)
    argv = sys.argv[1:] if argv is None else argv
    environ = dict(os.environ if environ is None else environ)
    fill_standard()
    _enable_fault_traces()
    _learn_last_end(environ)
    wanted = options.asked(program, argv, environ)
    if "HAFTA_WARM_CHECK" in environ:
        from hafta.service.warm.start import check

        return check(program, argv, environ, warm=wanted is not None)
    if wanted is not None:
        from hafta.service.warm.start import begin

        begun = begin(program.name, wanted, environ, rules, debug="--debug" in argv)
        if isinstance(begun, int):
            return begun
        service: Service = begun.service
        holdoff = Holdoff(program.name, {})  # the parent counts
    else:
        service, holdoff = Service(program.name, environ), Holdoff(program.name, environ)
        _keep_from_children()
    use_reporter(service.reporter)
    keep_apart(service, holdoff)
    work, pid = _Work(service, holdoff, debug="--debug" in argv), os.getpid()
    error = _error_of(lambda: work.run(program, body, argv, environ))
    if os.getpid() != pid:
        return _leave_child(error)
    try:
        return work.end(error)
    finally:
        service.flush()


def _learn_last_end(environ: dict[str, str]) -> None:
    """Take how the last process of this unit ended, where the overlord or ExecStopPost= has left that (death.py).

    It is so once: a child, and the next program of a reload, must not take it for theirs.
    """
    os.environ.pop("HAFTA_LAST_END", None)
    text = environ.pop("HAFTA_LAST_END", "")
    directory = first(environ.get("RUNTIME_DIRECTORY", ""))
    path = os.path.join(directory, "last-end")
    try:
        if directory:
            text = os.readlink(path)
            os.unlink(path)
    except OSError:  # there is none
        pass
    if text:
        from hafta.death import from_overlord, remember

        remember(from_overlord(text))


def _error_of(work: Callable[[], None]) -> BaseException | None:
    """Do the work, in which signals raise Stop. Return the error that ended it. After that, signals change nothing."""
    try:
        try:
            install()
            work()
        finally:
            ignore()
    except BaseException as error:
        ignore()  # a Stop may have interrupted the first ignore(); after this one, none can come
        return error
    return None


def _leave_child(error: BaseException | None) -> int:
    """End a forked child that came back here through its parent's stack: its end is not the end of the service."""
    if error is not None:
        raise error
    return exits.OK


class _Work:
    """The work of a service, and how it ends."""

    def __init__(self, service: Service, holdoff: Holdoff, *, debug: bool) -> None:
        self.service = service
        self.holdoff = holdoff
        self.debug = debug

    def run(
        self,
        program: Program,
        body: Callable[[Service, Values], None],
        argv: Sequence[str],
        environ: Mapping[str, str],
    ) -> None:
        """Read the settings and run the body."""
        self.service.complain()
        values, _ = settings.parse(program, argv, environ)
        self.debug = values.debug
        self.service.life.known_as(getattr(values, "instance", ""))
        _hold_back(self.service, self.holdoff)
        token = enter(self.service)  # for calls in the body that name no runtime, such as those of @hafta.retried
        try:
            body(self.service, values)
        finally:
            leave(token)

    def end(self, error: BaseException | None) -> int:
        """Say how it ended, and return the exit status. SystemExit and KeyboardInterrupt are raised as they are."""
        stop = stop_of(error)
        if error is None or stop is not None:
            self.holdoff.end()
            self.service.stopped("its work is done" if stop is None else str(stop))
            return exits.OK
        if isinstance(error, (SystemExit, KeyboardInterrupt)):
            raise error
        return _failed(self.service, error, debug=self.debug)


def _hold_back(service: Service, holdoff: Holdoff) -> None:
    crashes, seconds = holdoff.begin(service.now())
    service.life.crashes = crashes
    if not seconds:
        return
    from hafta.journal.events import ServiceHeldBack, StartNotCounted

    usec = round(seconds * 1_000_000)
    if holdoff.trouble:
        service.report(StartNotCounted(service.name, holdoff.path, holdoff.trouble, usec))
        why = f"{holdoff.path} cannot be written: {holdoff.trouble}"
    else:
        service.report(ServiceHeldBack(service.name, crashes, usec))
        why = f"{crashes} crashes in a row"
    service.notifier.extend_timeout(seconds + 5)
    service.status(f"held back {seconds:g} s: {why}")
    service.sleep(seconds)
    service.status("")
    holdoff.held(crashes, service.now())


def _failed(service: Service, error: BaseException, *, debug: bool) -> int:
    if debug:
        service.print_trace(error)
    if isinstance(error, HaftaError):
        message, hint, status = error.message, error.hint, error.status
    else:
        message, hint, status = _in_words(error), "run it with --debug to see where", exits.SYSTEM
    service.fail(message, hint, status, reported=getattr(error, "reported", False), error=error)
    return status


def _in_words(error: BaseException) -> str:
    try:
        if not isinstance(error, BaseExceptionGroup):
            return f"{type(error).__name__}: {error}".rstrip(": ")
    except Exception:  # its own __str__ fails
        return f"{type(error).__name__}, whose text cannot be shown"
    from hafta.engine.words import describe

    return describe(error)


def _enable_fault_traces() -> None:
    """When a watchdog sends SIGABRT, have Python print where the program hangs, into the journal."""
    try:
        faulthandler.enable()
    except (AttributeError, RuntimeError, ValueError, OSError):
        return  # stderr is closed: there is nobody to print to


def _keep_from_children() -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
