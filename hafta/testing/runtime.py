"""A runtime for tests: its clock moves only when somebody sleeps, and it records everything."""

from __future__ import annotations

from hafta.runtime import Runtime, enter, leave
from hafta.testing.endings import EndlessWait, ForcedFailure, ProcessEnded
from hafta.testing.steps import Steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from contextvars import Token
    from typing import Any, NoReturn, Self, TypeVar

    from hafta.drivers.observer import Observer
    from hafta.engine.node import Node
    from hafta.journal.event import Event
    from hafta.testing.steps import Step

    T = TypeVar("T")


class FakeRuntime(Runtime):
    """Give it to a call: `sequence.call(data, runtime=FakeRuntime())`; or `with FakeRuntime() as runtime:`.

    `clock` is its time in seconds; `slept` what was slept, in order; `steps` every policy event with what followed
    (hafta.testing.Step); `events` what the journal would have got; `said`, `statuses` and `progresses` what the person
    at the terminal, systemctl and the watchdog would have got.
    """

    slice = float("inf")  # nobody is fed while no time passes

    def __init__(self, *, clock: float = 0.0) -> None:
        super().__init__()
        self.clock = clock
        self.mistakes: set[tuple[str, int]] = set()  # each test sees its own
        self.endless: list[int] = []  # descriptors that tasks wait for without an end
        self.now = lambda: self.clock
        self.slept: list[float] = []
        self.steps: list[Step] = []
        self.events: list[Event] = []
        self.said: list[str] = []
        self.statuses: list[str] = []
        self.progresses = 0
        self._forced: dict[tuple[str, str], list[object]] = {}
        self._tokens: list[Token[Runtime | None]] = []

    def __enter__(self) -> Self:
        """Be the runtime of every call that is given none, also of functions with @hafta.retried."""
        self._tokens.append(enter(self))
        return self

    def __exit__(self, *_: object) -> None:
        """Let the runtime before be the current one again."""
        leave(self._tokens.pop())

    def force(self, node: Node | str, *reasons: object, times: int = 1, function: str = "normal") -> None:
        """Let the next runs of the named node fail before they begin, for these reasons, one after the other.

        The whole list is used `times` times; None among the reasons lets a run pass. `function` is "normal" or
        "rollback". A reason that is not an exception arrives as ForcedFailure. Raises ValueError for what would force
        nothing. `forced` is what has not been used yet.
        """
        if not reasons or times < 1 or function not in {"normal", "rollback"}:
            asked = f"reasons={reasons!r}, times={times!r}, function={function!r}"
            raise ValueError(f'force() takes reasons, times >= 1 and function "normal" or "rollback", not {asked}')
        self._forced.setdefault((str(node), function), []).extend(reasons * times)

    @property
    def forced(self) -> dict[tuple[str, str], list[object]]:
        """The failures that no run has met yet, by node and function: at the end of a test, a misspelt name."""
        return {key: list(reasons) for key, reasons in self._forced.items() if reasons}

    @property
    def path(self) -> list[str]:
        """The nodes that were judged, in order."""
        return [step.node for step in self.steps]

    def observers(self, sequence: str) -> tuple[Observer, ...]:
        """Record each step, and let functions fail as force() says."""
        return (Steps(sequence, self),)

    def entering(self, node: str, function: str) -> None:
        """Raise the failure that was asked for, if any."""
        waiting = self._forced.get((node, function))
        reason = waiting.pop(0) if waiting else None
        if isinstance(reason, BaseException):
            raise reason
        if reason is not None:
            raise ForcedFailure(reason)

    def step(self, step: Step) -> None:
        """Record a policy event."""
        self.steps.append(step)

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.slept.append(seconds)
        self.clock += max(0.0, seconds)
        self.progress()

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        """Look at the descriptor as it is now; if it is not ready, the clock moves to the end of the wait.

        Raises EndlessWait, which is not an Exception, instead of waiting for ever.
        """
        if super().wait(fd, 0, write=write):
            return True
        if timeout is None:
            raise EndlessWait(f"descriptor {fd}")
        self.clock += max(0.0, timeout)
        return super().wait(fd, 0, write=write)

    async def await_fd(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:  # noqa: ASYNC109 - as wait()
        """Wait as wait() does; in run_async(), letting other tasks run, and threads for a while of real time."""
        if not self._has_this_loop():
            return self.wait(fd, timeout, write=write)
        if timeout is not None:
            return await super().await_fd(fd, timeout, write=write)
        from hafta.readiness import ready

        self.endless.append(fd)
        try:
            return await ready(fd, None, write=write)
        finally:
            self.endless.remove(fd)
            self.progress()

    def _has_this_loop(self) -> bool:
        from asyncio import get_running_loop

        return getattr(get_running_loop(), "fake_runtime", None) is self

    async def asleep(self, seconds: float) -> None:
        """Move the clock, letting other tasks run: in run_async() all of them share this clock."""
        from asyncio import sleep

        self.slept.append(seconds)
        if self._has_this_loop():
            await sleep(seconds)
        else:
            self.clock += max(0.0, seconds)
            await sleep(0)
        self.progress()

    def run_async(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in an event loop whose time is this clock: asyncio.sleep and asyncio.timeout take no time either.

        Asynchronous sequences that are called without await run in such a loop too.
        """
        from hafta.testing.loop import run

        return run(self, coroutine)

    def progress(self) -> None:
        """Count what would have fed the watchdog."""
        self.progresses += 1

    def report(self, event: Event) -> None:
        """Record an event."""
        self.events.append(event)

    def flush(self) -> None:
        """There is nothing to send."""

    def status(self, text: object) -> None:
        """Record a status."""
        self.statuses.append(str(text))

    def say(self, text: object) -> None:
        """Record a line."""
        self.said.append(str(text))

    def end_process(self, status: int) -> NoReturn:
        """Raise ProcessEnded."""
        raise ProcessEnded(status)
