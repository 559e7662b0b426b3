"""A call from its beginning to its end: the runtime it runs in, and the record that it keeps if it is durable."""

from __future__ import annotations

from hafta import runtime as world
from hafta.drivers.conductor import Conductor
from hafta.drivers.run import Run
from hafta.engine.machine import Phase
from hafta.errors import IllegalMove, Orphaned, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from hafta.drivers.durability import Durability
    from hafta.drivers.ledger import Ledger
    from hafta.engine.node import Node
    from hafta.runtime import Runtime
    from hafta.sequence import Sequence
    from hafta.stores.codec import Level, Position
    from hafta.stores.protocol import Claim


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
        try:
            if self._durability is not None:
                self._open(self._durability)
            elif self._outer is not None:
                self._nest(self._outer)
            if conductor.machine.phase is Phase.IDLE:
                conductor.machine.start(self._start)
            self._token = world.enter(self.runtime)
            self.runtime.describers.append(conductor.describe)
        except BaseException as error:
            self._leave(error)
            raise
        return conductor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the runtime, and the record as the next call should find it."""
        try:
            self.runtime.describers.remove(self.conductor.describe)
            world.leave(self._token)
        finally:
            self._leave(error)

    def _leave(self, error: BaseException | None) -> None:
        ledger = self.conductor.ledger
        try:
            if ledger is not None:
                ledger.leave(error)
                if error is None and self._claim is not None:
                    self._note_the_end(ledger, self._claim)
        except BaseException as late:
            assert ledger is not None
            ledger.leave(late)  # a stop that comes just now is one
            raise
        finally:
            if self._claim is not None:
                self._claim.close()

    def _note_the_end(self, ledger: Ledger, claim: Claim) -> None:
        """Let the next call in this process know that this one has ended, where the record could not be told."""
        if ledger.book.in_trouble and not ledger.keep and self._durability is not None:
            from hafta.drivers import unrecorded

            unrecorded.ended(self._durability.store, claim, ledger.book.names)

    def _open(self, durability: Durability) -> None:
        from hafta.drivers.book import Book
        from hafta.drivers.ledger import ENDED, Ledger

        conductor, names = self.conductor, (self.conductor.sequence.name, durability.instance)
        try:
            claim, position = self._read(durability, names)
        except StoreError as error:
            if error.final or not durability.go_on(error):
                raise
            self._go_without(durability, names, error)
            return
        book = Book(claim, self.runtime, names, power=durability.power, go_on=durability.go_on, keep=durability.keep)
        conductor.record_with(Ledger(book, conductor.sequence, conductor.machine, durability.instance))
        book.tell_incidents()
        if position is not None:
            position = book.restore(position)
            if position.levels[0].phase != ENDED:
                self._resume(position, position.levels)

    def _read(self, durability: Durability, names: tuple[str, str]) -> tuple[Claim, Position | None]:
        self._claim = claim = durability.store.claim(*names, durable=durability.power)
        if claim.last is None:
            return claim, None
        from hafta.drivers import unrecorded
        from hafta.drivers.ledger import ENDED
        from hafta.stores import codec

        position = codec.position(claim.last.frame, claim.last.body)
        if position.levels[0].phase != ENDED:
            from hafta.drivers import resume

            resume.understand(position.levels)
        return claim, None if unrecorded.is_over(position, durability.store, claim, names) else position

    def _go_without(self, durability: Durability, names: tuple[str, str], error: StoreError) -> None:
        from hafta.drivers.book import tell_trouble

        path = str(getattr(durability.store, "directory", "")) or "of the memory"
        tell_trouble(self.runtime, names, path, error.message, "the sequence goes on without, from its beginning")

    def _nest(self, outer: Ledger) -> None:
        """Record inside of the outer node, unless what runs there is not recorded either."""
        from hafta.drivers.ledger import Ledger

        conductor, name = self.conductor, self.conductor.sequence.name
        if not outer.records:
            return
        if outer is not outer.book.chain[-1]:
            inside = outer.book.chain[-1].name
            hint = "call one after the other; or without `run`: then it is not recorded"
            raise IllegalMove(f"sequence {name} is called while {inside} runs in the same durable call", hint)
        levels, agains = outer.resumed_in(name)
        conductor.record_with(Ledger(outer.book, conductor.sequence, conductor.machine, outer.instance))
        if not levels:
            return
        assert outer.position is not None
        try:
            self._resume(outer.position, levels)
        except BaseException as error:
            outer.put_back(levels, agains, error)
            raise

    def _resume(self, position: Position, levels: tuple[Level, ...]) -> None:
        from hafta.drivers import resume

        try:
            self.take_up = resume.begin(self.conductor, position, levels)
        except Orphaned as error:
            self.take_up = resume.ask_orphaned(self.conductor, levels[0], error)
