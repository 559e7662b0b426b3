"""Make any sequence a service, in one call."""

from __future__ import annotations

from hafta import exits
from hafta.service.main import main
from hafta.settings import Program, Setting, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hafta.sequence import Sequence
    from hafta.service.service import Service
    from hafta.settings import Values

ONCE = Setting("once", switch, default=False, help="end after one sequence, with 0 if it succeeded")

#: What a service made of a sequence can end with, besides what its own nodes raise on purpose.
STATUSES = (exits.OK, exits.FAILED, exits.USAGE, exits.PANIC, exits.SYSTEM)


def program_of(sequence: Sequence, summary: str = "", settings: Iterable[Setting] = (), name: str = "") -> Program:
    """Return the program that run() makes of a sequence: what --help and a man page are made of."""
    summary = summary or f"Run the sequence {sequence.name} as a service."
    return Program(name or sequence.name, summary, (*settings, ONCE), STATUSES)


def run(
    sequence: Sequence,
    data: Any = None,
    *,
    program: Program | None = None,
    settings: Iterable[Setting] = (),
    pause: float = 0.0,
    ready: bool = True,
    argv: list[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run the sequence as a service, again and again (once with --once), and return the exit status.

    `data` is the userdata, or a function that makes it of the settings; it lives as long as the process. `settings` are
    the program's own (hafta.settings), or `program` describes it whole. `pause` seconds lie between a sequence and the
    next. READY is sent before the first one, unless `ready` is false: then a node calls `run.runtime.ready()`.

    A sequence that succeeds is followed by the next; one that fails ends the service with status 1, for its overlord to
    start it anew. Signals, watchdog, journal and the other statuses are those of hafta.service.main.
    """

    def body(service: Service, values: Values) -> None:
        userdata = data(values) if callable(data) else data
        if ready:
            service.ready()
        while True:
            _run_once(service, sequence, userdata)
            service.progress()
            if values.once:
                return
            service.sleep(pause)

    return main(program or program_of(sequence, settings=settings), body, argv, environ)


def _run_once(service: Service, sequence: Sequence, userdata: Any) -> None:
    result = sequence.call(userdata, runtime=service)
    if not service.in_journal:
        service.say(f"Sequence was: {result}")
    elif result:
        from hafta.journal.events import SequenceSucceeded

        service.report(SequenceSucceeded(sequence.name, result.failures, round(result.duration * 1_000_000)))
    result.check()
