"""The main function of every service: from the command line to the exit status."""

from __future__ import annotations

import faulthandler
import os
import sys

from hafta import exits, settings
from hafta.errors import HaftaError
from hafta.runtime import use_reporter
from hafta.service.holdoff import Holdoff
from hafta.service.service import Service
from hafta.service.signals import Stop, check_thread, ignore, install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafta.settings import Program, Values

DEBUG = settings.Setting("debug", settings.switch, default=False, help="show the traceback of an error")


def main(
    program: Program,
    body: Callable[[Service, Values], None],
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run `body(service, values)` as a service and return the exit status.

    SIGTERM and SIGINT end it with 0 at once. An error is one line that says what and one that says what to do, on the
    terminal or in the journal, with its own status (hafta.exits); the traceback only with --debug.
    """
    check_thread()
    argv = sys.argv[1:] if argv is None else argv
    environ = dict(os.environ) if environ is None else environ
    _fill_standard_descriptors()
    _enable_fault_traces()
    service = Service(program.name, environ)
    use_reporter(service.reporter)
    _keep_from_children()
    try:
        try:
            install()
            return _run(_with_debug(program), body, service, argv, environ)
        finally:
            ignore()
    except Stop as stop:
        service.stopped(str(stop))
        return exits.OK
    finally:
        service.flush()


def _run(
    program: Program,
    body: Callable[[Service, Values], None],
    service: Service,
    argv: Sequence[str],
    environ: Mapping[str, str],
) -> int:
    debug = "--debug" in argv
    holdoff = Holdoff(program.name, environ)
    service.complain()
    try:
        values, _ = settings.parse(program, argv, environ)
        debug = values.debug
        _hold_back(service, holdoff)
        body(service, values)
    except Stop:
        holdoff.end()
        raise
    except Exception as error:
        return _failed(service, error, debug=debug)
    holdoff.end()
    service.stopped("its work is done")
    return exits.OK


def _hold_back(service: Service, holdoff: Holdoff) -> None:
    crashes, seconds = holdoff.begin(service.now())
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


def _failed(service: Service, error: Exception, *, debug: bool) -> int:
    if debug:
        service.print_trace(error)
    if isinstance(error, HaftaError):
        message, hint, status = error.message, error.hint, error.status
    else:
        message, hint, status = _in_words(error), "run it with --debug to see where", exits.SYSTEM
    service.fail(message, hint, status, told=getattr(error, "told", False))
    return status


def _in_words(error: Exception) -> str:
    try:
        if not isinstance(error, ExceptionGroup):
            return f"{type(error).__name__}: {error}".rstrip(": ")
    except Exception:  # its own __str__ fails
        return f"{type(error).__name__}, which cannot be told in words"
    from hafta.engine.words import describe

    return describe(error)


def _with_debug(program: Program) -> Program:
    return program if DEBUG in program.settings else program.replace(settings=(*program.settings, DEBUG))


def _fill_standard_descriptors() -> None:
    """Open /dev/null where a standard descriptor is closed, or the pipe would get its number, and our messages."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _enable_fault_traces() -> None:
    """Let a watchdog's SIGABRT print where the program hung, into the journal."""
    try:
        faulthandler.enable()
    except (AttributeError, RuntimeError, ValueError, OSError):
        return  # stderr is closed: there is nobody to print to


def _keep_from_children() -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(name, None)
