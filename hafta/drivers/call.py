"""A call from its beginning to its end: the runtime it runs in, and the record that it keeps if it is durable."""

from __future__ import annotations

import sys

from hafta import runtime as world
from hafta.drivers.conductor import Conductor
from hafta.drivers.run import Run
from hafta.engine.machine import Phase
from hafta.errors import Orphaned
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from hafta.drivers.ledger import Ledger, OnError
    from hafta.engine.node import Node
    from hafta.errors import StoreError
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence
    from hafta.stores.protocol import Claim, Store


class Durability(Record):
    """How a call is recorded."""

    store: Store
    instance: str = ""
    power: bool = False
    on_error: OnError | None = None
    keep: dict[str, Any] | None = None


class Call:
    """A context that yields the conductor of the call, ready to be driven; `take_up` are the nodes to run before."""

    def __init__(
        self,
        sequence: Sequence,
        data: Any,
        *,
        start: object,
        runtime: Runtime | None,
        durability: Durability | None = None,
        outer: Run | None = None,
        run_class: type[Run] = Run,
    ) -> None:
        self.runtime = runtime or world.current()
        self.conductor = Conductor(sequence, self.runtime, data, run_class)
        self.take_up: list[Node] = []
        self._start = start
        self._durability = durability
        self._outer = outer.ledger if outer is not None else None
        self._claim: Claim | None = None

    def __enter__(self) -> Conductor:
        """Claim the record and resume, or start."""
        conductor = self.conductor
        if self._durability is not None:
            self._open(self._durability)
        elif self._outer is not None:
            self._nest(self._outer)
        if conductor.machine.phase is Phase.IDLE:
            conductor.machine.start(self._start)
        self._token = world.enter(self.runtime)
        self.runtime.describers.append(conductor.describe)
        return conductor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the runtime, and the record as the next call should find it."""
        self.runtime.describers.remove(self.conductor.describe)
        world.leave(self._token)
        ledger = self.conductor.ledger
        try:
            if ledger is not None:
                self._close(ledger, error)
        finally:
            if self._claim is not None:
                self._claim.close()

    def _open(self, durability: Durability) -> None:
        from hafta.drivers.ledger import ENDED, Book, Ledger
        from hafta.stores import codec

        conductor, sequence = self.conductor, self.conductor.sequence
        names = (sequence.name, durability.instance)
        self._claim = claim = durability.store.claim(*names, durable=durability.power)
        try:
            go_on = durability.on_error or _never
            book = Book(claim, self.runtime, names, power=durability.power, go_on=go_on, keep=durability.keep)
            conductor.record_with(Ledger(book, sequence, conductor.machine), durability.instance)
            book.tell_incidents()
            if claim.last is not None:
                position = book.restore(codec.position(claim.last.frame, claim.last.body))
                if position.levels[0].phase != ENDED:
                    self._resume(position, position.levels)
        except BaseException:
            claim.close()
            raise

    def _nest(self, outer: Ledger) -> None:
        from hafta.drivers.ledger import Ledger

        conductor = self.conductor
        conductor.record_with(Ledger(outer.book, conductor.sequence, conductor.machine, outer.levels()), outer.instance)
        if outer.pending and outer.pending[0].sequence == conductor.sequence.name:
            levels, outer.pending = outer.pending, ()
            assert outer.position is not None
            self._resume(outer.position, levels)

    def _resume(self, position: Any, levels: Any) -> None:
        from hafta.drivers import resume

        try:
            self.take_up = resume.begin(self.conductor, position, levels)
        except Orphaned as error:
            resume.ask_orphaned(self.conductor, levels[0], error)

    def _close(self, ledger: Ledger, error: BaseException | None) -> None:
        if error is None and not ledger.keep:
            ledger.ended()
        elif _asked_to_stop(error):
            ledger.stopped()


def _never(_error: StoreError) -> bool:
    return False


def _asked_to_stop(error: BaseException | None) -> bool:
    """Whether this is no failure but somebody's wish: SIGTERM to a service, Ctrl-C, sys.exit(), a cancelled task."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
