"""From the settings to a running guard and back to an exit status."""

from __future__ import annotations

import os
import signal
import sys

from hafta import exits, settings
from hafta.descriptors import fill_standard
from hafta.errors import HaftaError, UsageError
from hafta.guard.options import PROGRAM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafta.guard.guard import Outcome, Plan
    from hafta.service.service import Service
    from hafta.settings import Values

NAME = "hafta-guard"


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta guard` with these arguments. An error is two lines, or one entry in the journal."""
    argv = sys.argv[1:] if argv is None else argv
    environ = dict(os.environ) if environ is None else environ
    fill_standard()
    from hafta.service.service import Service

    service = Service(NAME, environ)
    try:
        outcome = _run(service, *settings.parse(PROGRAM, argv, environ), environ)
    except (HaftaError, OSError) as error:
        return _fail(service, error, debug="--debug" in argv)
    finally:
        service.flush()
    from hafta.guard.guard import die_like

    return die_like(outcome.wait_status) if outcome.status is None else outcome.status


def _run(service: Service, values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> Outcome:
    if not operands:
        raise UsageError("there is no program to run", "write it last: hafta guard -- PROGRAM ARG...")
    from hafta.guard.guard import STOPS, Guard, Plan
    from hafta.guard.voice import Voice, hold_back
    from hafta.process import prctl
    from hafta.service.holdoff import Holdoff

    service.complain()
    prctl.set_name(NAME)  # in ps; the command line has the program
    plan = Plan(
        tuple(operands), environ, values.probe, values.interval, values.timeout, values.failures, values.start_grace,
        values.stop_grace,
    )  # fmt: skip
    _check_watchdog(service, plan)
    holdoff = Holdoff(NAME, environ)
    # A signal to stop waits until the guard can stop in order (Loop.listen).
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        outcome = Guard(plan, Voice(service)).run(hold_back(service, holdoff))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if outcome.is_stop or (outcome.status is None and outcome.wait_status == 0):
        holdoff.end()
    return outcome


def _check_watchdog(service: Service, plan: Plan) -> None:
    """Refuse a watchdog that would kill a program that works. Raises UsageError."""
    from hafta.guard.arithmetic import SPACING, watchdog_for

    period, needed = service.watchdog.period, plan.interval + plan.timeout
    if period is not None and period * (1 - SPACING) <= needed:
        problem = f"the watchdog's {period:g} s are too short for a pass every {needed:g} s (--interval and --timeout)"
        enough = watchdog_for(plan.interval, plan.timeout, plan.failures)
        raise UsageError(problem, f"use shorter ones, or WatchdogSec={enough}")


def _fail(service: Service, error: HaftaError | OSError, *, debug: bool) -> int:
    if debug:
        service.print_trace(error)
    if not isinstance(error, HaftaError):
        error = HaftaError(str(error), "run it with --debug to see where", status=exits.SYSTEM)
    service.fail(error.message, error.hint, error.status)
    return error.status
