"""The settings of `hafta guard`, declared once: for the bare program, for click, for the man page."""

from __future__ import annotations

from hafta import exits
from hafta.guard.probes import KINDS, spec
from hafta.settings import Program, Setting, number, positive, switch


def seconds(text: str) -> float:
    """Read a number above 0."""
    try:
        if value := number(text):
            return value
    except ValueError:
        pass
    raise ValueError("a number of seconds, more than 0")


PROBE = Setting(
    "probe", spec, (), f"ask whether the program works: {', '.join(KINDS.values())}; may be given more than once: all"
    " must pass", "PROBE", "process", repeats=True, scope="guard",
)  # fmt: skip
INTERVAL = Setting("interval", seconds, 1.0, "seconds from one round of probes to the next", "SECONDS", scope="guard")
TIMEOUT = Setting("timeout", seconds, 1.0, "seconds within which each probe must pass", "SECONDS", scope="guard")
FAILURES = Setting("failures", positive, 3, "how many failed rounds in a row end the program", "COUNT", scope="guard")
START_GRACE = Setting(
    "start-grace", seconds, 30.0, "seconds within which the first round must pass", "SECONDS", scope="guard"
)
STOP_GRACE = Setting(
    "stop-grace", seconds, 10.0, "seconds that the program has to end after a signal to stop; then SIGKILL", "SECONDS",
    scope="guard",
)  # fmt: skip
DEBUG = Setting("debug", switch, default=False, help="show the traceback of an error", scope="guard")

PROBING = (PROBE, INTERVAL, TIMEOUT, FAILURES, START_GRACE, STOP_GRACE)

PROGRAM = Program(
    "hafta guard",
    "Run a program that knows nothing of sd_notify, and say READY and WATCHDOG for it as long as its probes pass.",
    (*PROBING, DEBUG),
    (
        *(exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PERMISSION, exits.UNHEALTHY, exits.TIMED_OUT),
        exits.SYSTEM,
    ),
    operands="-- PROGRAM [ARG]...",
)
