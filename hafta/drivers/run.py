"""The handle that every function of a node is given."""

from __future__ import annotations

from hafta.drivers.panic import panic
from hafta.errors import NodeTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from hafta.drivers.ledger import Ledger
    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.engine.words import Verdict
    from hafta.result import Result
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence


class _Ended:
    """What success() and fail() return: the function has ended, whatever it returns now."""


ENDED = _Ended()


class Run:
    """One call of a sequence, as its functions see it. `data` is the caller's userdata."""

    __slots__ = ("_deadline", "_machine", "_progress", "_record", "awaits", "data", "ledger", "runtime", "sequence")

    def __init__(self, sequence: Sequence, machine: Machine, runtime: Runtime, data: Any) -> None:
        self.sequence = sequence
        self.runtime = runtime
        self.data = data
        self._machine = machine
        self._progress = runtime.progress
        self._deadline: float | None = None
        self.awaits = False  # whether the function that runs is asynchronous
        self.ledger: Ledger | None = None  # of a durable call
        self._record: Callable[[int, dict[str, Any], bool], None] | None = None

    def record_with(self, ledger: Ledger) -> None:
        """Record checkpoints from now on."""
        self.ledger = ledger
        self._record = ledger.checkpoint

    def follow(self, machine: Machine) -> None:
        """Stand for this machine from now on: a node is being taken up, or has been."""
        self._machine = machine

    @property
    def node(self) -> Node:
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

    def checkpoint(self, value: int, /, *, sync: bool = False, **state: Any) -> None:
        """Record how far inside the node we are: the last value set is handed to the rollback function.

        `state` are small values recorded with it, of any name but `sync`; those of earlier checkpoints of this visit
        stay. Feeds the watchdog.
        In a durable call it survives the process when this returns; with `sync`, or at the level "power", the machine.
        Raises TypeError if the value is no integer, StoreError if it cannot be recorded.
        """
        if not isinstance(value, int):
            raise TypeError(f"a checkpoint is a small integer, best of an IntEnum, not {value!r}")
        machine = self._machine
        known = machine.mark[1]
        if state:
            known = {**known, **state} if known else state
        machine.mark = (value, known)
        record = self._record
        if record is not None:
            record(value, known or {}, sync)
        self._progress()

    def success(self, to: Node | Verdict | str | int) -> Any:
        """End the function with success, naming the next node or EXIT. The same as returning it.

        Raises IllegalMove if the function has ended already, or if there is no such node.
        """
        ledger = self.ledger
        if ledger is not None and ledger.pending and ledger.records:
            return self.fail(ledger.left_out())
        self._machine.succeed(to)
        return ENDED

    def fail(self, reason: object) -> Any:
        """End the function with failure: `return run.fail(reason)`. Raising an exception does so, too.

        Raises IllegalMove if the function has ended already.
        """
        self._machine.fail(reason, self.runtime.now())
        return ENDED

    def sleep(self, seconds: float) -> None:
        """Sleep so many seconds, feeding the watchdog. Raises NodeTimeout when the node's time is up."""
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

    def call(self, inner: Sequence, data: Any = None, *, start: object = None) -> Result:
        """Call another sequence from this node. Its failure is this node's: raises SequenceFailed."""
        return inner.call_within(self, data, start=start).check()

    def say(self, text: object) -> None:
        """Say a line, as str() has it: to the terminal when started by hand, to the journal under systemd."""
        self.runtime.say(text)

    def status(self, text: object) -> None:
        """Say what the service is doing, for `systemctl status`."""
        self.runtime.status(text)

    def progress(self) -> None:
        """Note that the work has moved on: feeds the watchdog."""
        self._progress()

    def panic(self, message: object) -> NoReturn:
        """Log at critical level and end the process at once, with exit status 70 (hafta.exits.PANIC)."""
        panic(message, runtime=self.runtime, sequence=self.sequence.name, node=self._machine.node.name)

    def _within(self, seconds: float | None) -> Any:
        if self._deadline is None:
            return seconds
        left = max(0.0, self._deadline - self.runtime.now())
        return left if seconds is None else min(seconds, left)

    def _check_time(self, seconds: float | None) -> None:
        """Tell a wait that the node's time cut short from one that ended by its own."""
        if self._deadline is not None and self.runtime.now() >= self._deadline and seconds != 0:
            raise took_too_long(self._machine.node)


class AsyncRun(Run):
    """The same handle in asyncio: an `async def` function awaits what waits; in a plain function it blocks, as ever."""

    __slots__ = ()

    def sleep(self, seconds: float) -> Any:
        """Sleep so many seconds, feeding the watchdog and letting other tasks run: `await run.sleep(1)`."""
        return self._asleep(seconds) if self.awaits else super().sleep(seconds)

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> Any:
        """Wait until the descriptor can be read (or written); False after `timeout` seconds."""
        return self._await(fd, timeout, write) if self.awaits else super().wait(fd, timeout, write=write)

    def call(self, inner: Sequence, data: Any = None, *, start: object = None) -> Any:
        """Call another sequence, of either kind, from this node. Raises SequenceFailed if it fails.

        A plain function can call none that is asynchronous: that raises IllegalMove.
        """
        return self._acall(inner, data, start) if self.awaits else super().call(inner, data, start=start)

    async def _asleep(self, seconds: float) -> None:
        await self.runtime.asleep(self._within(seconds))
        self._check_time(seconds)

    async def _await(self, fd: int, timeout: float | None, write: bool) -> bool:  # noqa: ASYNC109 - as wait()
        ready = await self.runtime.await_fd(fd, self._within(timeout), write=write)
        if not ready:
            self._check_time(timeout)
        return ready

    async def _acall(self, inner: Sequence, data: Any, start: object) -> Result:
        return (await inner.call_async_within(self, data, start=start)).check()


def took_too_long(node: Node) -> NodeTimeout:
    """Return the reason of a node that its timeout ended."""
    return NodeTimeout(f"node {node} took longer than its {node.timeout:g} s", "raise its timeout= or make it quicker")
