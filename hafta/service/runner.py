"""Turn any sequence into a service with one call."""

from __future__ import annotations

import os
import signal

from hafta import exits
from hafta.engine.signature import is_async
from hafta.service.main import main
from hafta.settings import Program, Setting, number, path, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from hafta.durable.checkpoints import Checkpoints, OnError
    from hafta.sequence import Sequence
    from hafta.service.held import HeldStore
    from hafta.service.service import Service
    from hafta.service.warm.rules import Rule
    from hafta.settings import Values
    from hafta.stores.protocol import Store

    #: Makes, from the settings and the userdata, the checkpoints of the sequence; None: nothing is recorded.
    CheckpointsOf = Callable[[Values, Any], Checkpoints | None]

ONCE = Setting("once", switch, default=False, help="end after one sequence, with status 0 if it succeeded")

#: The exit statuses of a service made from a sequence. Its nodes may raise further ones on purpose.
STATUSES = (exits.OK, exits.FAILED, exits.USAGE, exits.PANIC, exits.SYSTEM)

STATE = Setting(
    "state", path, None, "the directory that keeps checkpoints", "PATH",
    shown_default="$STATE_DIRECTORY, else $RUNTIME_DIRECTORY, else ~/.local/state/hafta",
)  # fmt: skip


def lease(text: str) -> float:
    """Read the seconds of a lease."""
    value = number(text)
    if not 1 <= value <= 3600:
        raise ValueError("a number of seconds from 1 to 3600")
    return value


STORE = Setting(
    "store", str, "", "where checkpoints are, if several hosts share them (hafta(7)): etcd://HOST:PORT,... or"
    " postgresql://HOST/DATABASE", "URL",
)  # fmt: skip
TTL = Setting(
    "ttl", lease, 12.0, "seconds after which another host takes over from one that is not heard of", "SECONDS"
)
INSTANCE = Setting(
    "instance",
    str,
    "",
    "the name of this copy, if several run at once; each copy has its own checkpoints",
    "NAME",
)

#: Further exit statuses of a service with checkpoints.
STORE_STATUSES = (exits.PERMISSION, exits.NO_SPACE, exits.IN_USE, exits.LOST)


def default_store(values: Values) -> Store:
    """Return the store of a durable service: --store; else files in --state, where systemd says, or at home."""
    if url := getattr(values, "store", ""):  # a program may have only --state
        from hafta.stores.leased.url import store_of

        return store_of(url, values.ttl)
    from hafta.stores import FileStore

    return FileStore(values.state)


def state_checkpoints(
    *,
    level: str = "process",
    on_error: str | OnError = "fail",
    keep: Callable[[Any], dict[str, Any]] | None = None,
) -> CheckpointsOf:
    """Return a function that makes the checkpoints of a service: files in --state, as instance --instance.

    `level` and `on_error` are those of hafta.Checkpoints. `keep` is a function that returns the dict of kept values of
    the userdata.
    """

    def make(values: Values, userdata: Any) -> Checkpoints:
        from hafta.durable.checkpoints import Checkpoints

        kept = None if keep is None else keep(userdata)
        return Checkpoints(default_store(values), instance=values.instance, level=level, on_error=on_error, keep=kept)

    return make


def program_of(
    sequence: Sequence, summary: str = "", settings: Iterable[Setting] = (), name: str = "", *, durable: bool = False
) -> Program:
    """Return the program that run() makes from a sequence; --help and a man page are made from it."""
    summary = summary or f"Run the sequence {sequence.name} as a service."
    statuses = sorted((*STATUSES, *STORE_STATUSES)) if durable else STATUSES
    return _complete(Program(name or sequence.name, summary, tuple(settings), tuple(statuses)), durable=durable)


def _complete(program: Program, *, durable: bool) -> Program:
    """Return the program with the settings of every service of a sequence. Its own --state or --instance wins."""
    given = {setting.name for setting in program.settings}
    more = [setting for setting in (STATE, STORE, TTL, INSTANCE) if durable and setting.name not in given]
    more += [] if ONCE in program.settings else [ONCE]
    return program.replace(settings=(*program.settings, *more))


def run(
    sequence: Sequence,
    data: Any = None,
    *,
    program: Program | None = None,
    settings: Iterable[Setting] = (),
    pause: float | Callable[[Values], float] = 0.0,
    ready: bool = True,
    checkpoints: Checkpoints | CheckpointsOf | None = None,
    warm: bool = False,
    deadline: float | None = None,
    rules: Iterable[Rule] = (),
    argv: list[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run the sequence as a service, again and again (once with --once), and return the exit status.

    `data` is the userdata, or a function that makes it from the settings; it lives as long as the process. `settings`
    are the program's own settings (hafta.settings); or `program` describes the whole program. `pause` is the time
    between two calls, in seconds, or a function that makes it from the settings. READY is sent before the first call,
    unless `ready` is false: then a node calls `run.runtime.ready()`.

    When the sequence succeeds, the next call begins. When it fails, the service ends with status 1, and its overlord
    restarts it. Signals, watchdog, journal and the other statuses are those of hafta.service.main.

    With `checkpoints` the sequence is durable: after a crash the next start resumes it (docs/durable.md). `checkpoints`
    is a hafta.Checkpoints, or a function that makes one from the settings and the userdata, such as the one that
    `state_checkpoints()` returns. A StoreError ends the service with the status of its kind.

    `warm`: a parent keeps everything imported and replaces a worker that dies or hangs in milliseconds; `deadline` is
    how many seconds without progress are a hang. Both are only the defaults of --warm and --deadline. `rules` are what
    else replaces it, between two sequences, such as a limit of memory (docs/warm.md).
    Raises ValueError if two settings have the same name, and for a deadline that is none.
    """

    def body(service: Service, values: Values) -> None:
        userdata = data(values) if callable(data) else data
        rest = pause(values) if callable(pause) else pause
        if not service.is_warm:
            _mention_timeouts(service, sequence)
        _show(service, sequence, ready=ready)
        recorded = checkpoints(values, userdata) if callable(checkpoints) else checkpoints
        if recorded is not None:
            service.publish(records=recorded.store.where, level=recorded.level)
        with _holding(recorded, service) as held:
            while True:
                _run_once(service, sequence, userdata, held)
                service.progress()
                if values.once:
                    return
                if service.may_go():
                    os.kill(os.getpid(), signal.SIGTERM)  # raises Stop, as if the parent had sent it
                service.sleep(rest)

    durable = checkpoints is not None
    program = program or program_of(sequence, settings=settings, durable=durable)
    return main(
        _complete(program, durable=durable), body, argv, environ, warm=warm, deadline=deadline, rules=tuple(rules)
    )


class _holding:  # noqa: N801 - used as a function; contextlib costs a millisecond of each start
    """A context: checkpoints in a store whose claims stay with the process until the end of the context."""

    def __init__(self, checkpoints: Checkpoints | None, service: Service) -> None:
        self._checkpoints = checkpoints
        self._service = service
        self._held: HeldStore | None = None

    def __enter__(self) -> Checkpoints | None:
        if self._checkpoints is None:
            return None
        from hafta.service.held import HeldStore

        self._held = HeldStore(self._checkpoints.store, self._service)
        return self._checkpoints.replace(store=self._held)

    def __exit__(self, *_error: object) -> None:
        if self._held is not None:
            self._held.release()


def _show(service: Service, sequence: Sequence, *, ready: bool) -> None:
    """Say which sequence it runs, that it is up if it is, and after that how the sequence goes."""
    service.publish(sequences=[sequence.name])
    if ready:
        service.ready()
    service.life.published.draw(sequence)


def _mention_timeouts(service: Service, sequence: Sequence) -> None:
    """Say which timeouts nobody keeps if the function does not return."""
    for node in sequence.nodes.values():
        for option, function in (
            ("timeout", node.normal_function),
            ("rollback_timeout", node.rollback_function),
            ("policy_timeout", node.policy_function),
        ):
            seconds = getattr(node, option)
            if seconds is not None and function is not None and not is_async(function):
                service.say(
                    f"{option}={seconds:g} of node {node}: without a warm parent (--warm), only the watchdog ends a"
                    " function that does not return"
                )


def _run_once(service: Service, sequence: Sequence, userdata: Any, checkpoints: Checkpoints | None) -> None:
    result = sequence.call(userdata, runtime=service, checkpoints=checkpoints)
    if not service.in_journal:
        service.say(f"Sequence was: {result}")
    if result and service.reporter.records:
        from hafta.journal.events import SequenceSucceeded

        service.report(SequenceSucceeded(sequence.name, result.failures, round(result.duration * 1_000_000)))
    result.check()
