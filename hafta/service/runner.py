"""Make any sequence a service, in one call."""

from __future__ import annotations

from hafta import exits
from hafta.service.main import main
from hafta.settings import Program, Setting, path, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from hafta.drivers.ledger import OnError
    from hafta.sequence import Sequence
    from hafta.service.held import HeldStore
    from hafta.service.service import Service
    from hafta.settings import Values
    from hafta.stores.protocol import Store

    StoreOf = Callable[[Values], Store | None]

ONCE = Setting("once", switch, default=False, help="end after one sequence, with 0 if it succeeded")

#: What a service made of a sequence can end with, besides what its own nodes raise on purpose.
STATUSES = (exits.OK, exits.FAILED, exits.USAGE, exits.PANIC, exits.SYSTEM)

STATE = Setting(
    "state", path, None, "the directory that keeps checkpoints", "PATH",
    shown_default="$STATE_DIRECTORY, else $RUNTIME_DIRECTORY, else ~/.local/state/hafta",
)  # fmt: skip
INSTANCE = Setting(
    "instance", str, "", "which one this is of several that run at a time; each has its own checkpoints", "NAME"
)

#: ... and one that keeps checkpoints, besides.
STORE_STATUSES = (exits.PERMISSION, exits.NO_SPACE, exits.IN_USE)


def default_store(values: Values) -> Store:
    """Return the store of a durable service: files in --state, else where systemd says, else below the user's home."""
    from hafta.stores import FileStore

    return FileStore(values.state)


def program_of(
    sequence: Sequence, summary: str = "", settings: Iterable[Setting] = (), name: str = "", *, durable: bool = False
) -> Program:
    """Return the program that run() makes of a sequence: what --help and a man page are made of."""
    summary = summary or f"Run the sequence {sequence.name} as a service."
    statuses = sorted((*STATUSES, *STORE_STATUSES)) if durable else STATUSES
    return _complete(Program(name or sequence.name, summary, tuple(settings), tuple(statuses)), durable=durable)


def _complete(program: Program, *, durable: bool) -> Program:
    """Return the program with what every service made of a sequence has; --state and --instance may be its own."""
    given = {setting.name for setting in program.settings}
    more = [setting for setting in (STATE, INSTANCE) if durable and setting.name not in given]
    more += [] if ONCE in program.settings else [ONCE]
    return program.replace(settings=(*program.settings, *more))


def run(
    sequence: Sequence,
    data: Any = None,
    *,
    program: Program | None = None,
    settings: Iterable[Setting] = (),
    pause: float = 0.0,
    ready: bool = True,
    store: Store | StoreOf | None = None,
    level: str = "process",
    keep: Callable[[Any], dict[str, Any]] | None = None,
    on_store_error: str | OnError = "fail",
    argv: list[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run the sequence as a service, again and again (once with --once), and return the exit status.

    `data` is the userdata, or a function that makes it of the settings; it lives as long as the process. `settings` are
    the program's own (hafta.settings), or `program` describes all. `pause` seconds lie between a sequence and the
    next. READY is sent before the first one, unless `ready` is false: then a node calls `run.runtime.ready()`.

    A sequence that succeeds is followed by the next; one that fails ends the service with status 1, for its overlord to
    start it anew. Signals, watchdog, journal and the other statuses are those of hafta.service.main.

    With a `store`, or a function that makes it of the settings (`default_store`), the sequence is durable: after a
    crash the next start resumes it, as instance --instance. `keep` gives, of the userdata, the dict of values that
    outlive each sequence and the process. `level` and `on_store_error` are those of Sequence.call (docs/durable.md).
    A StoreError ends the service with a status of its own. Raises ValueError for a setting that there is twice.
    """

    def body(service: Service, values: Values) -> None:
        userdata = data(values) if callable(data) else data
        if ready:
            service.ready()
        held = _held(store(values) if callable(store) else store)
        durable = {
            "store": held,
            "instance": getattr(values, INSTANCE.key, ""),
            "level": level,
            "on_store_error": on_store_error,
            "keep": keep(userdata) if keep else None,
        }
        try:
            while True:
                _run_once(service, sequence, userdata, durable)
                service.progress()
                if values.once:
                    return
                service.sleep(pause)
        finally:
            if held is not None:
                held.release()

    durable = store is not None
    program = program or program_of(sequence, settings=settings, durable=durable)
    return main(_complete(program, durable=durable), body, argv, environ)


def _held(store: Store | None) -> HeldStore | None:
    if store is None:
        return None
    from hafta.drivers.durability import check_store
    from hafta.service.held import HeldStore

    check_store(store)
    return HeldStore(store)


def _run_once(service: Service, sequence: Sequence, userdata: Any, durable: dict[str, Any]) -> None:
    result = sequence.call(userdata, runtime=service, **durable)
    if not service.in_journal:
        service.say(f"Sequence was: {result}")
    elif result:
        from hafta.journal.events import SequenceSucceeded

        service.report(SequenceSucceeded(sequence.name, result.failures, round(result.duration * 1_000_000)))
    result.check()
