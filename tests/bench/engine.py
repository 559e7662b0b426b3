"""What a transition, a rolled back failure and a checkpoint cost, against the loop that one writes without HAFTA.

That loop does the same job by hand: a table of functions, the visited nodes with their progress (to undo them), the
consecutive failures, five of them lead back, and a history of failures with their times for whoever asks afterwards.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from measure import Line, compare

import hafta
from hafta.runtime import Runtime

TRANSITIONS = 40_000
FAILURES = 10_000
CHECKPOINTS = 100_000


class CP(IntEnum):
    CLEAR = 0
    RECEIVED = 1


def lines() -> Iterator[Line | str]:
    """Measure and yield the lines of the report."""
    loop = "plain loop: try/except, table, stack, count, history"
    quiet = Runtime(quiet=True)
    yield compare("node transition", lambda: hafta_walk(quiet), plain_walk, unit="ns", against=loop, goal="2x")
    yield compare(
        "fail + rollback + retry",
        lambda: hafta_retry(quiet),
        lambda: plain_retry(None),
        unit="ns",
        against=loop,
        goal="2x",
    )
    logger = _null_logger()
    yield compare(
        "fail + rollback + retry, each reported",
        lambda: hafta_retry(Reporting()),
        lambda: plain_retry(logger),
        unit="ns",
        against="plain loop that logs each to a NullHandler",
    )
    yield compare(
        "checkpoint in memory",
        hafta_checkpoint,
        plain_checkpoint,
        unit="ns",
        against="a call that stores it",
        goal="300 ns",
    )
    yield from peers()


class Reporting(Runtime):
    """Events are made as for the journal, and thrown away as the NullHandler throws away."""

    def report(self, event: object) -> None:
        self.last = event


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
    return _timed(lambda: walk.call(runtime=runtime), TRANSITIONS * 2)


def plain_walk() -> float:
    Turns.left = iter(range(TRANSITIONS))
    return _timed(lambda: plain({"there": (plain_there, None), "back": (plain_back, None)}, "there"), TRANSITIONS * 2)


def hafta_retry(runtime: Runtime) -> float:
    Turns.left = iter(range(FAILURES * 2))
    return _timed(lambda: retry.call(runtime=runtime), FAILURES)


def plain_retry(logger: logging.Logger | None) -> float:
    Turns.left = iter(range(FAILURES * 2))
    return _timed(lambda: plain({"work": (plain_work, plain_undo)}, "work", logger=logger), FAILURES)


def hafta_checkpoint() -> float:
    sequence = hafta.Sequence("checkpoints")
    took = 0.0

    @sequence.node
    def work(run: hafta.Run) -> Any:
        nonlocal took
        took = _timed(lambda: [run.checkpoint(CP.RECEIVED) for _ in range(CHECKPOINTS)], CHECKPOINTS)
        return hafta.EXIT

    sequence.call(runtime=Runtime(quiet=True))
    return took


def plain_checkpoint() -> float:
    class Progress:
        def set(self, value: int) -> None:
            self.value = value

    progress = Progress()
    return _timed(lambda: [progress.set(CP.RECEIVED) for _ in range(CHECKPOINTS)], CHECKPOINTS)


def plain(
    nodes: dict[str, tuple[Callable[..., Any], Callable[..., Any] | None]],
    node: str | None,
    *,
    logger: logging.Logger | None = None,
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
            following = undo(None, progress) if undo is not None else node
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


def peers() -> Iterator[Line | str]:
    """Measure tenacity and transitions, where the bench's own environment has them."""
    try:
        from peers import retry_with_tenacity, walk_with_transitions
    except ImportError as error:
        yield f"tenacity and transitions: not measured ({error.name} is not installed; `make bench-peers` installs it)"
        return
    quiet = Runtime(quiet=True)
    yield compare(
        "fail + rollback + retry", lambda: hafta_retry(quiet), lambda: retry_with_tenacity(FAILURES // 10), unit="ns",
        against="tenacity, before_sleep as the rollback",
    )  # fmt: skip
    yield compare(
        "node transition", lambda: hafta_walk(quiet), lambda: walk_with_transitions(TRANSITIONS // 10), unit="ns",
        against="transitions, a machine of two states",
    )  # fmt: skip


def _timed(work: Callable[[], object], units: int) -> float:
    """Return the nanoseconds of CPU that one unit took."""
    before = time.process_time_ns()
    work()
    return (time.process_time_ns() - before) / units


def _null_logger() -> logging.Logger:
    logger = logging.getLogger("bench")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    return logger
