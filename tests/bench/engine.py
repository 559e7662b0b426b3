"""What a transition, a rolled back failure and a checkpoint cost, against the loop that one writes without HAFTA.

Once where events are made and thrown away, and once as a service has it: its own runtime, whose reporter sends to a
socket in the place of journald's.

That loop does the same job by hand: a table of functions, the visited nodes with their progress (to undo them), the
consecutive failures, five of them lead back, and a history of failures with their times for whoever asks afterwards.
Nobody learns of its failures, though each of HAFTA's is an event. So there are two more floors: the loop that makes an
event of the same fields, and lets the frames of the exception go; and the loop that logs.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from measure import Line, compare, cpu

import hafta
from hafta.journal.journald import JournaldSink
from hafta.journal.reporter import Reporter
from hafta.runtime import Runtime
from hafta.service import Service

TRANSITIONS = 40_000
FAILURES = 10_000
CHECKPOINTS = 100_000


class CP(IntEnum):
    CLEAR = 0
    RECEIVED = 1


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    loop = "plain loop: try/except, table, stack, count, history"
    nobody = Silent()
    _warm()
    yield from both(nobody, None, "", against=loop, goal="2x")
    yield compare(
        "fail + rollback + retry", lambda: hafta_retry(nobody), lambda: plain_retry(report=lambda _event: None),
        unit="ns", against="plain loop that makes an event of the same fields",
    )  # fmt: skip
    with journaled() as service:
        against = "plain loop that logs each failure to a NullHandler"
        yield from both(service, _null_logger(), ", with a journal", against=against, goal="1.6x")
    yield compare(
        "checkpoint in memory",
        hafta_checkpoint,
        plain_checkpoint,
        unit="ns",
        against="a call that stores it",
        goal="300 ns",
    )
    yield from peers()


def both(runtime: Runtime, logger: logging.Logger | None, how: str, **against: str) -> Iterator[Line]:
    """Compare a transition and a failure in this runtime with those of the loop."""
    yield compare(
        f"node transition{how}", lambda: hafta_walk(runtime), lambda: plain_walk(logger), unit="ns", **against
    )
    yield compare(
        f"fail + rollback + retry{how}", lambda: hafta_retry(runtime), lambda: plain_retry(logger), unit="ns", **against
    )


class Silent(Runtime):
    """Events are made, and thrown away."""

    def report(self, event: object) -> None:
        """Throw it away."""


class Journaled(Service):
    """What a service runs in. What it sends is read between two measurements, as journald would meanwhile."""

    def __init__(self, receiver: socket.socket) -> None:
        super().__init__("bench", {})
        self.reporter = Reporter(JournaldSink("bench", receiver.getsockname()), time.monotonic)
        self.in_journal = True
        self._receiver = receiver

    def drain(self) -> None:
        """Take what was sent."""
        with contextlib.suppress(BlockingIOError):
            while self._receiver.recv(1 << 16):
                pass


@contextlib.contextmanager
def journaled() -> Iterator[Journaled]:
    """Make a service, and a socket in the place of journald's."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"{folder}/socket")
        receiver.setblocking(False)
        service = Journaled(receiver)
        service.ready()
        yield service
        service.flush()


class Turns:
    """What the functions below go by. They are made once, as those of a program are: so it can warm up."""

    left: Iterator[int] = iter(())


walk, retry = hafta.Sequence("walk"), hafta.Sequence("retry")


@walk.node
def there(_run: hafta.Run) -> Any:
    return back


@walk.node
def back(_run: hafta.Run) -> Any:
    return hafta.EXIT if next(Turns.left, None) is None else there


@retry.node
def work(_run: hafta.Run) -> Any:
    turn = next(Turns.left, None)
    if turn is None:
        return hafta.EXIT
    if turn & 1:
        raise ValueError("bad data")
    return work


@work.rollback
def undo(_run: hafta.Run, _checkpoint: int) -> Any:
    return work


def plain_there(_data: object) -> str | None:
    return "back"


def plain_back(_data: object) -> str | None:
    return None if next(Turns.left, None) is None else "there"


def plain_work(_data: object) -> str | None:
    turn = next(Turns.left, None)
    if turn is None:
        return None
    if turn & 1:
        raise ValueError("bad data")
    return "work"


def plain_undo(_data: object, _progress: int) -> str:
    return "work"


def hafta_walk(runtime: Runtime) -> float:
    Turns.left = iter(range(TRANSITIONS))
    return cpu(lambda: walk.call(runtime=runtime), TRANSITIONS * 2)


def plain_walk(logger: logging.Logger | None, transitions: int = TRANSITIONS) -> float:
    Turns.left = iter(range(transitions))
    nodes = {"there": (plain_there, None), "back": (plain_back, None)}
    return cpu(lambda: plain(nodes, "there", logger=logger), transitions * 2)


def hafta_retry(runtime: Runtime) -> float:
    if isinstance(runtime, Journaled):
        runtime.drain()
    Turns.left = iter(range(FAILURES * 2))
    return cpu(lambda: retry.call(runtime=runtime), FAILURES)


def plain_retry(logger: logging.Logger | None = None, report: Callable[[dict[str, Any]], None] | None = None) -> float:
    Turns.left = iter(range(FAILURES * 2))
    nodes = {"work": (plain_work, plain_undo)}
    return cpu(lambda: plain(nodes, "work", logger=logger, report=report), FAILURES)


def hafta_checkpoint() -> float:
    sequence = hafta.Sequence("checkpoints")
    took = 0.0

    @sequence.node
    def work(run: hafta.Run) -> Any:
        nonlocal took
        took = cpu(lambda: [run.checkpoint(CP.RECEIVED) for _ in range(CHECKPOINTS)], CHECKPOINTS)
        return hafta.EXIT

    sequence.call(runtime=Runtime())
    return took


def plain_checkpoint() -> float:
    class Progress:
        def set(self, value: int) -> None:
            self.value = value

    progress = Progress()
    return cpu(lambda: [progress.set(CP.RECEIVED) for _ in range(CHECKPOINTS)], CHECKPOINTS)


def plain(
    nodes: dict[str, tuple[Callable[..., Any], Callable[..., Any] | None]],
    node: str | None,
    *,
    logger: logging.Logger | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> deque[Any]:
    """Do by hand what a sequence does."""
    visited: list[tuple[str, int]] = []
    history: deque[tuple[str, int, Exception, float]] = deque(maxlen=100)
    failures = progress = 0
    while node is not None:
        normal, undo = nodes[node]
        try:
            following = normal(None)
        except Exception as error:
            failures += 1
            history.append((node, failures, error, time.monotonic()))
            if logger is not None:
                logger.warning("%s failed, attempt %d, at %d: %s", node, failures, progress, error)
            began = 0.0 if report is None else time.monotonic()
            following = undo(None, progress) if undo is not None else node
            if report is not None:
                report(_event(node, progress, failures, error, following, time.monotonic() - began, normal.__code__))
                error.with_traceback(None)
            if failures >= 5:
                node, progress = visited.pop()
                failures = 0
            elif following != node:
                node, failures = following, 0
            continue
        visited.append((node, progress))
        if len(visited) > 1000:
            del visited[:500]
        failures = progress = 0
        node = following
    return history


def _event(
    node: str, checkpoint: int, attempt: int, error: Exception, following: str, seconds: float, code: Any
) -> dict[str, Any]:
    """Make by hand what RolledBack has: by the way that costs least, a dict."""
    return {
        "sequence": "retry",
        "node": node,
        "checkpoint": checkpoint,
        "reason": f"{type(error).__name__}: {error}",
        "attempt": attempt,
        "to_node": following,
        "duration_usec": int(seconds * 1_000_000),
        "unwinding": None,
        "code": (code.co_filename, code.co_firstlineno, code.co_qualname),
        "error": type(error).__name__,
    }


def _warm() -> None:
    """Call the loop as often as CPython wants before it makes a function faster: 8 times, as it does not loop back."""
    for _ in range(10):
        plain_walk(None, 10)


def peers() -> Iterator[Line | str]:
    """Measure tenacity and transitions, where the bench's own environment has them."""
    try:
        from peers import retry_with_tenacity, walk_with_transitions
    except ImportError as error:
        yield f"tenacity and transitions: not measured ({error.name} is not installed; `make bench-peers` installs it)"
        return
    nobody = Silent()
    yield compare(
        "fail + rollback + retry", lambda: hafta_retry(nobody), lambda: retry_with_tenacity(FAILURES // 10), unit="ns",
        against="tenacity, before_sleep as the rollback",
    )  # fmt: skip
    yield compare(
        "node transition", lambda: hafta_walk(nobody), lambda: walk_with_transitions(TRANSITIONS // 10), unit="ns",
        against="transitions, a machine of two states",
    )  # fmt: skip


def _null_logger() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    return logger
