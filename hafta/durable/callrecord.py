"""The record of one outermost call, and when it is written.

It holds a chain of recorders, one for each sequence that runs: the outermost first, each inside of a node of the one
before. A record says where all of them stand. The innermost checkpoint goes into the body, everything else into the
frame, so that a checkpoint of the innermost sequence is a body alone.
"""

from __future__ import annotations

import os
import time

from hafta.boot import boot_id
from hafta.durable import bound, codec
from hafta.durable.kept import Kept
from hafta.durable.position import Position
from hafta.durable.trouble import Trouble, ended_unrecorded, is_over
from hafta.engine.machine import Phase
from hafta.errors import HaftaError, StoreError
from hafta.stores.holder import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    from hafta.death import Death
    from hafta.durable.checkpoints import Checkpoints
    from hafta.durable.position import SequencePosition, Waiting
    from hafta.engine.shape import Shape
    from hafta.runtime import Runtime
    from hafta.stores.protocol import Claim

    class Writer(Protocol):
        """The recorder of one sequence, as the record sees it."""

        shape: Shape
        waiting: Waiting | None

        def stands(self) -> SequencePosition | None:
            """Return where the sequence stands; None: nothing of it has begun."""

        def leave(self, error: BaseException | None) -> None:
            """Leave the record as the next call should find it."""


class _Origin:
    """What stands in each frame besides where the sequences are, and where they were in the newest one."""

    __slots__ = ("boot", "cause", "host", "pid", "positions")

    def __init__(self) -> None:
        self.boot = boot_id()
        self.pid = os.getpid()
        self.cause: Death | None = None
        self.host = ""  # in a store that several hosts share
        self.positions: tuple[SequencePosition, ...] = ()


class CallRecord:
    """The claim of one call, written by the recorders of all sequences that run in it."""

    __slots__ = (
        "_origin", "chain", "checkpoints", "claim", "in_force", "kept", "room", "runtime", "stopped", "trouble",
    )  # fmt: skip

    def __init__(self, checkpoints: Checkpoints, runtime: Runtime, sequence: str) -> None:
        self.checkpoints = checkpoints
        self.runtime = runtime
        self.claim: Claim  # from open() on
        self.trouble = Trouble(checkpoints, runtime, sequence)
        self.kept = Kept(checkpoints.keep)
        self.chain: list[Writer] = []
        self.in_force: Writer | None = None  # whose checkpoints need no new frame
        self.stopped: tuple[SequencePosition, ...] = ()  # the newest record, if it says that somebody asked to stop
        self.room = 0  # bytes for the body of a checkpoint
        self._origin = _Origin()

    def open(self, sequence: str) -> Position | None:
        """Claim the record and return what it says; None: there is nothing to resume. Raises StoreError."""
        power = self.checkpoints.power
        self.claim = claim = self.checkpoints.store.claim(sequence, self.checkpoints.instance, power=power)
        self.trouble.where = claim.where
        self.room = claim.capacity
        self._origin.host = host() if claim.token else ""
        claim.on_incident = self.trouble.incident
        claim.on_wait = self.runtime.progress
        while claim.incidents:
            self.trouble.incident(claim.incidents.pop(0))
        if claim.last is None:
            return None
        position = codec.position(claim.last.frame, claim.last.body)
        if bound.elsewhere(position):
            raise bound.refusal(claim.where, position)
        return None if is_over(position, self.trouble.which) else position

    def close(self) -> None:
        """Give the claim up, if there is one."""
        claim = getattr(self, "claim", None)
        if claim is not None:
            claim.on_incident = claim.on_wait = None
            claim.close()

    def note_cause(self, cause: Death | None) -> None:
        """Keep how the process ended that this one goes on for, in each record from now on."""
        self._origin.cause = cause

    def turn(self, writer: Writer, newest: SequencePosition, *, sync: bool) -> None:
        """Record where all sequences stand, the writer at `newest`. Raises StoreError, also one that was swallowed."""
        if self.trouble.fatal is not None:
            raise self.trouble.fatal
        self.in_force, self.stopped = None, ()
        stand, waiting = self._stand(writer, newest)
        self._write_all((*stand, *waiting), sync=sync)
        if not waiting and len(stand) == len(self.chain):
            self.in_force = self.chain[-1]

    def write(self, checkpoint: int, state: dict[str, Any], sync: bool, more: int = 0) -> None:  # the hot path
        """Record a checkpoint. Raises StoreError if it cannot be, unless the program wants to go on without.

        `more` is the room that no checkpoint of the program's may take: its rollback would not fit into the record.
        """
        try:
            self.claim.write(codec.body(checkpoint, state, self.room + more), sync)
        except StoreError as error:
            if error.kind == "too-large" and self._origin.cause is not None:
                self._enter_without_cause()
                self.write(checkpoint, state, sync, more)
                return
            self._met(error)
        else:
            if self.trouble.ongoing:
                self.trouble.over()

    def stop(self, writer: Writer, newest: SequencePosition) -> None:
        """Record that the process was asked to stop in the innermost function. Raises StoreError."""
        if self.trouble.fatal is not None:
            raise self.trouble.fatal
        self.in_force = None
        stand, waiting = self._stand(writer, newest)
        stand[-1] = stand[-1].replace(doing=stand[-1].doing.replace(stopped=True))
        positions = (*stand, *waiting)
        self._write_all(positions, sync=self.checkpoints.power)
        self.stopped = positions

    def write_stopped(self, writer: Writer) -> None:
        """Record a checkpoint of an outer function after the process was asked to stop in an inner one."""
        at = self.chain.index(writer)
        stands = writer.stands()
        assert stands is not None
        if at == len(self.stopped) - 1:
            stands = stands.replace(doing=self.stopped[at].doing)
        positions = (*self.stopped[:at], stands, *self.stopped[at + 1 :])
        self._write_all(positions, sync=self.checkpoints.power)
        self.stopped = positions

    def cannot_stop(self, error: HaftaError) -> None:
        """Go on with a stop that could not be recorded."""
        if not self.trouble.stop_missed:
            self.trouble.stop_missed = True
            self.trouble.report(error.message, "the next call takes this stop for a crash")

    def leave_inside(self, writer: Writer) -> None:
        """Forget sequences inside of this one: a stop has cut off how they left, and yet the program went on."""
        if self.chain[-1] is not writer and writer in self.chain:
            del self.chain[self.chain.index(writer) + 1 :]

    def end(self) -> None:
        """Record that there is nothing to resume. Raises StoreError, also one that the program has swallowed."""
        if self.trouble.fatal is not None:
            raise self.trouble.fatal
        self.in_force = None
        try:
            self.claim.clear(self.checkpoints.power)
        except StoreError as error:
            self._met(error)

    def has_ended(self) -> None:
        """Let the next call in this process know that this one is over, where the record could not say so."""
        if self.trouble.ongoing:
            ended_unrecorded(self.trouble.which, self.checkpoints.store)

    def _stand(
        self, writer: Writer, newest: SequencePosition
    ) -> tuple[list[SequencePosition], tuple[SequencePosition, ...]]:
        """Return where the sequences stand that have begun, and what waits in the innermost of them."""
        stand, waiting = [], None
        for one in self.chain:
            position = newest if one is writer else one.stands()
            if position is None:
                break  # it waits in the one before
            stand.append(position)
            waiting = one.waiting
        return stand, waiting.positions if waiting else ()

    def _write_all(self, positions: tuple[SequencePosition, ...], *, sync: bool) -> None:
        more = self._enter(positions)
        self.write(positions[-1].checkpoint, positions[-1].state, sync, more)

    def _enter(self, positions: tuple[SequencePosition, ...]) -> int:
        """Have the records that follow say where all sequences stand; return the room that is kept free in them."""
        more = codec.growth(positions)
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        capacity, origin = self.claim.capacity, self._origin
        origin.positions = positions
        try:
            on = _bound_by(self.chain, positions) if origin.host else ""
            where = origin.boot, origin.pid, origin.cause, origin.host, on
            frame = codec.frame(Position(positions, time.time(), now, *where))
            if len(frame) > capacity:
                if origin.cause is not None:
                    self._enter_without_cause()
                    return more
                raise _too_large(positions, len(frame), capacity)
            self.claim.enter(frame)
            self.room = capacity - len(frame) - more
        except StoreError as error:
            self._met(error)
        return more

    def _enter_without_cause(self) -> None:
        """Give the room of the cause to what the program records: that must never fail for it."""
        self._origin.cause = None
        self._enter(self._origin.positions)

    def _met(self, error: StoreError) -> None:
        if error.kind == "too-large":
            taken = self.claim.capacity - self.room
            also = f"; where the sequence stands takes {taken}" if taken > 0 else ""
            error = StoreError(error.message + also, self.claim.more_room or error.hint, kind=error.kind)
        self.trouble.met(error)


def _bound_by(chain: Iterable[Writer], positions: tuple[SequencePosition, ...]) -> str:
    """Return the first node, current or visited, that requires its host; empty: none does."""
    if positions[0].doing.function is Phase.DONE:
        return ""
    for writer, position in zip(chain, positions, strict=False):
        for name in (position.node, *(visit.node for visit in position.stack)):
            if name in writer.shape.nodes and writer.shape.nodes[name].requires:
                return name
        if writer.waiting is not None and writer.waiting.origin.bound:
            return writer.waiting.origin.bound  # of an inner sequence that has not been called again yet
    return ""


def _too_large(positions: tuple[SequencePosition, ...], size: int, room: int) -> StoreError:
    """Return the error for a position that does not fit into a record; it names what takes most."""
    states = [(f"of node {visit.node}", visit.state) for one in positions for visit in one.stack]
    states += [(f"of node {one.node}", one.state) for one in positions[:-1]]
    values = [(f"the state {key!r} {of}", value) for of, state in states for key, value in state.items()]
    values += [(f"the kept value {key!r}", value) for one in positions for key, value in (one.kept or {}).items()]
    sizes = {what: len(codec.encode(value, what)) for what, value in values}
    sizes |= {
        f"the names of the {len(one.nodes)} nodes of sequence {one.sequence}": len(codec.encode(one.nodes, ""))
        for one in positions
    }
    largest = max(sizes, key=lambda what: sizes[what])
    what = f"where the sequence stands, with the states of all visited nodes, needs {size} bytes"
    message = f"{what}, and there is room for {room}; most is for {largest}: {sizes[largest]}"
    return StoreError(message, "record less, or give the store more room", kind="too-large")
