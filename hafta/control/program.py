"""`hafta ctl` from its command line to an exit status; `python3 -m hafta.control` is the same on a bare Python.

Each verb loads what it needs and no more: it is asked often, by scripts and health checks.
"""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from hafta import settings
from hafta.control import options
from hafta.errors import HaftaError, UsageError
from hafta.journal.complaint import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafta.control.asking import Asking
    from hafta.settings import Values

    Verb = Callable[[Asking, Values, Sequence[str]], int]

#: Verb: the module and the function that carry it out, and whether it wants a unit.
VERBS: dict[str, tuple[str, str, bool]] = {
    "cat": ("looking", "cat", True),
    "daemon-reload": ("changing", "daemon_reload", False),
    "is-active": ("looking", "is_active", True),
    "is-enabled": ("looking", "is_enabled", True),
    "is-failed": ("looking", "is_failed", False),
    "is-system-running": ("looking", "is_system_running", False),
    "kill": ("changing", "kill", True),
    "list-units": ("listing", "list_units", False),
    "reload": ("changing", "reload", True),
    "reload-or-restart": ("changing", "reload_or_restart", True),
    "reset-failed": ("changing", "reset_failed", False),
    "restart": ("changing", "restart", True),
    "show": ("looking", "show", False),
    "start": ("changing", "start", True),
    "status": ("looking", "status", False),
    "stop": ("changing", "stop", True),
    "try-reload-or-restart": ("changing", "try_reload_or_restart", True),
    "try-restart": ("changing", "try_restart", True),
}


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run `hafta ctl` with these arguments; return the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    environ = os.environ if environ is None else environ
    if isinstance(sys.stdout, TextIOWrapper):  # names and values may have any character
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        values, operands = settings.parse(options.PROGRAM, argv, environ)
        return _run(values, operands or ["list-units"], environ)
    except (HaftaError, OSError) as error:
        return complain(error, otherwise="run it again, or see what holds the overlord up")


def _run(values: Values, operands: Sequence[str], environ: Mapping[str, str]) -> int:
    from hafta.control.asking import connect

    verb, *units = operands
    if verb not in VERBS:
        raise UsageError(f"unknown verb {verb}", f"one of: {', '.join(VERBS)}")
    module, function, wants = VERBS[verb]
    if wants and not units:
        raise UsageError(f"{verb}: which unit?", f"name one: hafta ctl {verb} UNIT")
    run: Verb = getattr(_load(module), function)
    with connect(values.overlord, environ) as asking:
        return run(asking, values, _expand(asking, units) if verb != "list-units" else units)


def _load(module: str) -> object:
    from importlib import import_module

    return import_module(f"hafta.control.{module}")


def _expand(asking: Asking, units: Sequence[str]) -> list[str]:
    """Put the units that are run in the place of a pattern with wildcards."""
    if not any(set(name) & set("*?[") for name in units):
        return list(units)
    from hafta.control.listing import matches

    known = asking.ask("Describe", {})["properties"]["Units"]
    found: dict[str, None] = {}
    for name in units:
        if set(name) & set("*?["):
            found.update(dict.fromkeys([each for each in known if matches(each, name)] or [name]))
        else:
            found[name] = None
    return list(found)
