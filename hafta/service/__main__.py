"""`python3 -m hafta.service MODULE:SEQUENCE`: runs a sequence of a module as a service, without a program around it."""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hafta.sequence import Sequence


def main(argv: list[str] | None = None) -> int:
    """Read what to run, run it, return the exit status."""
    from hafta import exits, settings
    from hafta.errors import HaftaError
    from hafta.journal.entry import printable
    from hafta.service.runner import run, state_checkpoints

    program = settings.Program(
        "python3 -m hafta.service",
        "Run a sequence of a module as a service. What follows it is for the service: see --help after a --.",
        (
            settings.Setting("pause", settings.number, 0.0, "seconds between two calls", "SECONDS"),
            settings.Setting("durable", settings.switch, default=False, help="keep checkpoints in the state directory"),
            settings.Setting("data", str, "", "what makes the userdata: a function of the module", "NAME"),
        ),
        (exits.OK, exits.FAILED, exits.USAGE, exits.NOT_FOUND, exits.PANIC, exits.SYSTEM),
        operands="MODULE:SEQUENCE [-- OPTION...]",
    )
    import os

    try:
        values, operands = settings.parse(program, sys.argv[1:] if argv is None else argv, os.environ)
        sequence, data = load(operands[0] if operands else "", values.data)
    except HaftaError as error:
        print(
            f"hafta-service: error: {printable(error.message)}\nhafta-service: {printable(error.hint)}", file=sys.stderr
        )
        return error.status
    checkpoints = state_checkpoints() if values.durable else None
    return run(sequence, data, pause=values.pause, checkpoints=checkpoints, argv=operands[1:])


def load(place: str, maker: str = "") -> tuple[Sequence, Callable[..., Any] | None]:
    """Return the sequence that a place such as `feed:reader` names, and the function that makes its userdata."""
    from importlib import import_module

    from hafta import exits
    from hafta.errors import UsageError
    from hafta.sequence import Sequence

    name, _, attribute = place.partition(":")
    if not name or not attribute:
        raise UsageError(f"{place!r} is not MODULE:SEQUENCE", "such as feed:reader, for the sequence reader of feed.py")
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # of a module that it imports: its own mistake, with its place
        raise UsageError(
            f"there is no module {name}", "look at WorkingDirectory= and $PYTHONPATH", status=exits.NOT_FOUND
        ) from None
    found = getattr(module, attribute, None)
    if isinstance(found, type) and isinstance(of_class := getattr(found, "sequence", None), Sequence):  # hafta.Steps
        return of_class, lambda _: found()
    if not isinstance(found, Sequence):
        raise UsageError(f"{place} is not a sequence", f"name a hafta.Sequence of {module.__file__}")
    data = getattr(module, maker, None) if maker else None
    if maker and not callable(data):
        raise UsageError(f"{name}:{maker} is not a function", f"name a function of {module.__file__}")
    return found, data


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback until it has its handlers
    raise SystemExit(main())
