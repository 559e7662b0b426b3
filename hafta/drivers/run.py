"""The handle that every function of a node gets."""

from __future__ import annotations

from hafta.drivers.panic import panic
from hafta.engine.machine import Phase
from hafta.engine.words import Ended
from hafta.errors import NodeTimeout
from hafta.generic import Data, Generic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, NoReturn, Protocol, TypeVar

    from hafta.drivers.observer import Moment, Recording
    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.engine.shape import Shape
    from hafta.engine.words import Verdict
    from hafta.result import Result
    from hafta.runtime import Runtime

    Inner_contra = TypeVar("Inner_contra", contravariant=True)
    Inner = TypeVar("Inner")

    class Callee(Protocol[Inner_contra]):
        """A sequence, as a node calls it."""

        def call_within(self, run: Run[Any], data: Inner_contra | None, *, start: object = None) -> Result:
            """Run it inside of the node."""

        async def call_async_within(self, run: Run[Any], data: Inner_contra | None, *, start: object = None) -> Result:
            """Run it inside of the node, in its event loop."""


ENDED = Ended()


class Run(Generic[Data]):
    """One call of a sequence, as its functions see it. `data` is the caller's userdata."""

    __slots__ = (
        "_machine", "_progress", "_record", "awaits", "data", "deadline", "ending", "recording", "runtime", "sequence",
    )  # fmt: skip

    def __init__(self, sequence: Shape[Data], machine: Machine, runtime: Runtime, data: Data) -> None:
        self.sequence = sequence  # the one that is called
        self.runtime = runtime  # its clock, watchdog and journal
        self.data = data  # the userdata
        self._machine = machine
        self._progress = runtime.progress
        self.deadline: float | None = None  # of the node that runs, on the runtime's clock; the driver's
        self.awaits = False  # whether the function that runs is asynchronous; the driver's
        self.ending: tuple[Moment, ...] = ()  # observers that want to know that a function ends with success
        self.recording: Recording | None = None  # of a durable call
        self._record: Callable[[int, dict[str, Any], bool], None] | None = None

    def record_with(self, recording: Recording) -> None:
        """Record checkpoints from now on."""
        self.recording = recording
        self._record = recording.checkpoint

    @property
    def node(self) -> Node[Data]:
        """The current node."""
        return self._machine.node

    @property
    def attempt(self) -> int:
        """The node's consecutive failures so far."""
        return self._machine.attempt

    @property
    def reason(self) -> Any:
        """Why the newest failure happened; None before the first."""
        return self._machine.reason

    @property
    def state(self) -> dict[str, Any]:
        """What the checkpoints of this visit of the node have recorded: a copy."""
        return dict(self._machine.state or ())

    @property
    def recorded(self) -> int:
        """The last checkpoint set in this visit of the node, also by a process that died in it; 0 if none was."""
        return self._machine.checkpoint

    @property
    def token(self) -> int:
        """The fencing token: an integer that grows with each new owner of the record, for what nodes change outside.

        Let that refuse a smaller one than it has seen (docs/hosts.md). 0 where the store is not shared by hosts.
        """
        return 0 if self.recording is None else self.recording.token

    def checkpoint(self, value: int, /, *, sync: bool = False, **state: Any) -> None:
        """Record how far inside the node we are: the last value set is handed to the rollback function.

        `state` are small values that are recorded with it, of any name but `sync`. Those of earlier checkpoints of this
        visit stay. Feeds the watchdog.
        With checkpoints=, it survives the process once this returns; with `sync` or level="power", the machine too.
        Raises TypeError if the value is not an integer, StoreError if it cannot be recorded.
        """
        if not isinstance(value, int):
            raise TypeError(f"a checkpoint is a small integer, best of an IntEnum, not {value!r}")
        machine = self._machine
        known = machine.mark[1]
        if state:
            known = known | state if known else state
        machine.mark = (value, known)
        record = self._record
        if record is not None:
            record(value, known or {}, sync)
        self._progress()

    def success(self, to: Node | Verdict | str | int) -> Ended:
        """End the function with success, naming the next node or EXIT. The same as returning it.

        Raises IllegalMove if the function has already ended, or if there is no such node.
        """
        try:
            for see in self.ending:
                see(self._machine)
        except Exception as error:  # an observer says that this is not a success
            return self.fail(error)
        self._machine.succeed(to)
        return ENDED

    def fail(self, reason: object) -> Ended:
        """End the function with failure: `return run.fail(reason)`. Raising an exception does the same.

        Raises IllegalMove if the function has already ended.
        """
        self._machine.fail(reason, self.runtime.now())
        return ENDED

    def sleep(self, seconds: float) -> None:
        """Sleep this many seconds, feeding the watchdog. Raises NodeTimeout when the node's time is up."""
        self.runtime.sleep(self._within(seconds))
        self._check_time(seconds)

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        """Wait until the descriptor can be read (or written), feeding the watchdog; False after `timeout` seconds.

        Raises NodeTimeout when the node's time is up, and OSError for a descriptor that is not open.
        """
        ready = self.runtime.wait(fd, self._within(timeout), write=write)
        if not ready:
            self._check_time(timeout)
        return ready

    def call(
        self, inner: Callee[Inner], data: Inner | None = None, *, start: object = None, timeout: float | None = None
    ) -> Result:
        """Call another sequence from this node. Its failure is this node's: raises SequenceFailed.

        A warm parent ends a call that takes longer than `timeout` seconds, with its process; that is a failure of this
        node, as if its timeout were over. Raises ValueError for one that is not more than 0.
        """
        if timeout is None:
            return inner.call_within(self, data, start=start).check()
        begun = self.runtime.call_begins(checked_timeout(timeout))
        try:
            return inner.call_within(self, data, start=start).check()
        finally:
            self.runtime.call_ends(begun)

    def say(self, text: object) -> None:
        """Print a line: on the terminal if started by hand, in the journal under systemd."""
        self.runtime.say(text)

    def status(self, text: object) -> None:
        """Set what `systemctl status` shows that the service is doing."""
        self.runtime.status(text)

    def progress(self) -> None:
        """Note that the work has moved on: feeds the watchdog."""
        self._progress()

    def panic(self, message: object) -> NoReturn:
        """Report at critical priority and end the process at once, with exit status 70 (hafta.exits.PANIC)."""
        panic(message, runtime=self.runtime, sequence=self.sequence.name, node=self._machine.node.name)

    def _within(self, seconds: float | None) -> Any:
        if self.deadline is None:
            return seconds
        left = max(0.0, self.deadline - self.runtime.now())
        return left if seconds is None else min(seconds, left)

    def _check_time(self, seconds: float | None) -> None:
        """Raise NodeTimeout if the node's time has cut the wait short."""
        if self.deadline is not None and self.runtime.now() >= self.deadline and seconds != 0:
            raise took_too_long(self._machine)


class AsyncRun(Run[Data]):
    """The same handle in asyncio: an `async def` function awaits sleep, wait and call; in a plain one they block."""

    __slots__ = ()

    # The types are those of `async def` functions. A plain function annotates `run: Run`, and gets those.

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:  # type: ignore[override]
        """Sleep this many seconds, feeding the watchdog and letting other tasks run: `await run.sleep(1)`."""
        return self._asleep(seconds) if self.awaits else super().sleep(seconds)  # type: ignore[return-value]

    def wait(  # type: ignore[override]
        self, fd: int, timeout: float | None = None, *, write: bool = False
    ) -> Coroutine[Any, Any, bool]:
        """Wait until the descriptor can be read (or written); False after `timeout` seconds."""
        return self._await(fd, timeout, write) if self.awaits else super().wait(fd, timeout, write=write)  # type: ignore[return-value]

    def call(  # type: ignore[override]
        self, inner: Callee[Inner], data: Inner | None = None, *, start: object = None, timeout: float | None = None
    ) -> Coroutine[Any, Any, Result]:
        """Call another sequence, of either kind, from this node. Raises SequenceFailed if it fails.

        After `timeout` seconds it is cancelled, and NodeTimeout is raised.
        A plain function cannot call an asynchronous sequence: that raises IllegalMove.
        """
        if self.awaits:
            return self._acall(inner, data, start, None if timeout is None else checked_timeout(timeout))
        return super().call(inner, data, start=start, timeout=timeout)  # type: ignore[return-value]

    async def _asleep(self, seconds: float) -> None:
        await self.runtime.asleep(self._within(seconds))
        self._check_time(seconds)

    async def _await(self, fd: int, timeout: float | None, write: bool) -> bool:  # noqa: ASYNC109 - as wait()
        ready = await self.runtime.await_fd(fd, self._within(timeout), write=write)
        if not ready:
            self._check_time(timeout)
        return ready

    async def _acall(self, inner: Callee[Any], data: Any, start: object, timeout: float | None) -> Result:  # noqa: ASYNC109 - as wait()
        import asyncio

        timer = asyncio.timeout(timeout)
        try:
            async with timer:
                return (await inner.call_async_within(self, data, start=start)).check()
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise NodeTimeout(
                f"node {self.node} called a sequence that took longer than {timeout:g} s",
                "give the call a longer timeout=, or make the sequence faster",
            ) from error


def took_too_long(machine: Machine) -> NodeTimeout:
    """Return the reason for a function whose time is up: the one that the machine waits for."""
    node = machine.node
    if machine.phase is Phase.NORMAL:
        what, seconds, option = f"node {node}", node.timeout, "timeout"
    elif machine.phase is Phase.ASK:
        what, seconds, option = f"the policy of node {node}", node.policy_timeout, "policy_timeout"
    else:
        what, seconds, option = f"the rollback function of node {node}", node.rollback_timeout, "rollback_timeout"
    return NodeTimeout(f"{what} took longer than its {seconds:g} s", f"give it a longer {option}=, or make it faster")


def checked_timeout(seconds: float) -> float:
    """Return the timeout of a call. Raises ValueError if it is not one."""
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0:
        raise ValueError(f"the timeout of a call is more than 0 seconds, not {seconds!r}")
    return seconds
