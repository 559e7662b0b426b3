"""A call from its beginning to its end: the runtime that it runs in, its observers, and its record."""

from __future__ import annotations

from hafta import runtime as world
from hafta.drivers.conductor import Conductor
from hafta.drivers.mistakes import Mistakes
from hafta.drivers.rollbacks import Rollbacks
from hafta.drivers.run import Run
from hafta.engine.machine import Phase
from hafta.engine.words import describe
from hafta.errors import class_of
from hafta.journal.events import SequenceFailed as Failed
from hafta.result import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Any, Self

    from hafta.drivers.observer import Recording
    from hafta.durable.callrecord import CallRecord, Writer
    from hafta.durable.checkpoints import Checkpoints
    from hafta.engine.shape import Shape
    from hafta.runtime import Runtime


class Call:
    """One call. A context: what open() takes is given back at the end, also if a stop ends it early."""

    __slots__ = (
        "_around", "_checkpoints", "_outer", "_record", "_recording", "_start", "_started", "_token", "conductor",
        "runtime",
    )  # fmt: skip

    def __init__(
        self,
        shape: Shape,
        data: Any,
        *,
        start: object,
        runtime: Runtime | None,
        checkpoints: Checkpoints | None = None,
        outer: Run | None = None,
        run_class: type[Run] = Run,
    ) -> None:
        self.runtime = runtime or world.current()
        self.conductor = Conductor(shape, self.runtime, data, run_class)
        self._start = start
        self._started = self.runtime.now()
        self._checkpoints = checkpoints
        self._outer = outer.recording if outer is not None else None
        self._record: CallRecord | None = None  # of an outermost durable call
        self._recording: Recording | None = None
        self._around: tuple[Runtime | None] | None = None  # the runtime around it, once it is about to enter its own
        self._token: Token[Runtime | None] | None = None

    def __enter__(self) -> Self:
        return self

    def open(self) -> Conductor:
        """Claim the record and resume, or start; return what is to be driven."""
        conductor = self.conductor
        self._recording = self._record_what_is_done()
        rollbacks = Rollbacks(conductor.shape.name, self.runtime)
        observers: list[Any] = [rollbacks, Mistakes(self.runtime)]
        observers += self.runtime.observers(conductor.shape.name)
        if self._recording is not None:
            conductor.run.record_with(self._recording)
            observers.append(self._recording)
        conductor.observe(observers)
        rollbacks.observers = conductor.observers
        if conductor.machine.phase is Phase.IDLE:
            conductor.machine.start(self._start)
        else:
            rollbacks.resumed(conductor.machine)
        self.runtime.describers.append(conductor.describe)
        self._around = (world.inside(),)
        self._token = world.enter(self.runtime)
        return conductor

    def result(self) -> Result:
        """Return how the call ended. Reports a failure; panics if that was the verdict."""
        machine, name = self.conductor.machine, self.conductor.shape.name
        if machine.phase is Phase.PANICKED:
            self.conductor.run.panic(machine.reason if machine.reason is not None else "its policy said so")
        took = self.runtime.now() - self._started
        history = tuple(machine.history)
        if machine.phase is Phase.DONE:
            return Result(name, ok=True, history=history, failures=machine.failed, duration=took)
        failure = machine.failure
        assert failure is not None  # a sequence fails after a failure
        why = failure.reason
        self.runtime.report(Failed(name, failure.node, describe(why), failure.attempt, class_of(why)))
        return Result(
            name, ok=False, node=failure.node, reason=failure.reason, attempt=failure.attempt,
            history=history, failures=machine.failed, duration=took,
        )  # fmt: skip

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the runtime, and the record as the next call should find it."""
        try:
            if self.conductor.describe in self.runtime.describers:
                self.runtime.describers.remove(self.conductor.describe)
            if self._token is not None:
                world.leave(self._token)
            elif self._around is not None:  # a stop came before the token did
                world.back_to(self._around[0])
        finally:
            self._leave(error)

    def _record_what_is_done(self) -> Recording | None:
        conductor = self.conductor
        if self._checkpoints is not None:
            from hafta.durable.opening import CallRecord, open_call

            self._record = CallRecord(self._checkpoints, self.runtime, conductor.shape.name)
            return open_call(self._record, conductor.shape, conductor.machine)
        if self._outer is not None:
            return self._outer.nested(conductor.shape, conductor.machine)
        return None

    def _leave(self, error: BaseException | None) -> None:
        recording = self._recording or self._cut_off()
        try:
            if recording is not None:
                recording.leave(error)
        except BaseException as late:
            if recording is not None:
                recording.leave(late)  # a stop that comes just now is one
            raise
        finally:
            if self._record is not None:
                self._record.close()

    def _cut_off(self) -> Writer | None:
        """Return what was to record the call when a stop cut its beginning off."""
        return self._record.chain[0] if self._record is not None and self._record.chain else None
