"""The book of a durable call: the record of one outermost call, and what to do when it cannot be written.

The book holds a chain of ledgers, one for each sequence that runs: the outermost first, each inside of a node of the
one before. A record says where all of them stand. Its last level's checkpoint goes into the body, everything else into
the frame, so that a checkpoint of the innermost sequence is a body alone.
"""

from __future__ import annotations

import os
import time

from hafta.errors import HaftaError, StoreError
from hafta.journal.durable_events import StoreTrouble  # now: the trouble may be that no file can be opened
from hafta.stores import codec
from hafta.stores.codec import Level, Position
from hafta.stores.protocol import Incidents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.drivers.ledger import Ledger, OnError
    from hafta.runtime import Runtime
    from hafta.stores.protocol import Claim, Incident

#: Before the name of what the caller keeps, among the values of a state: no keyword argument begins so.
KEPT = "\0"


class Book:
    """The claim of one call, written by the ledgers of all sequences that it runs."""

    def __init__(
        self,
        claim: Claim,
        runtime: Runtime,
        names: tuple[str, str],
        *,
        power: bool,
        go_on: OnError,
        keep: dict[str, Any] | None = None,
    ) -> None:
        self.claim = claim
        self.power = power
        self.keep = keep  # the caller's own values, recorded with every record
        self.chain: list[Ledger] = []
        self.in_force: Ledger | None = None  # whose checkpoints need no new frame
        self.stopped = False  # whether the newest record says that the process was asked to stop
        self.fatal: Exception | None = None  # why the call cannot go on
        self.names = names  # sequence and instance
        self._runtime = runtime
        self._go_on = go_on
        self.in_trouble = False  # whether the newest write failed
        if isinstance(claim.incidents, Incidents):
            claim.incidents.listener = self.tell_incidents
        self.put = claim.write
        self.room = claim.capacity
        self._boot = boot_id()
        self._pid = os.getpid()

    def turn(self, *, sync: bool) -> None:
        """Record where all sequences stand. Raises StoreError, also one that the program has swallowed."""
        if self.fatal is not None:
            raise self.fatal
        self.in_force, self.stopped = None, False
        last = self.chain[-1]
        levels = (*[ledger.level() for ledger in self.chain], *last.pending)
        self._enter(levels)
        self.write(levels[-1].checkpoint, levels[-1].state, sync)
        if not last.pending:
            self.in_force = last
        if self.claim.incidents:
            self.tell_incidents()

    def write(self, checkpoint: int, state: dict[str, Any], sync: bool) -> None:  # by position: the hot path
        """Record a checkpoint. Raises StoreError if it cannot be, unless the program wants to go on without."""
        if self.keep:
            kept = {KEPT + name if isinstance(name, str) else name: value for name, value in self.keep.items()}
            state = {**state, **kept}  # the codec refuses a name that is none
        try:
            self.put(codec.body(checkpoint, state, self.room), sync)
        except StoreError as error:
            self.trouble(error)
        else:
            if self.in_trouble:
                self.in_trouble = False
                self._tell("the store works again", "what is recorded now is current")

    def end(self) -> None:
        """Record that there is nothing to resume. Raises StoreError, also one that the program has swallowed."""
        if self.fatal is not None:
            raise self.fatal
        self.in_force = None
        try:
            self.claim.clear(self.power)
        except StoreError as error:
            self.trouble(error)
        self.tell_incidents()

    def stop(self) -> None:
        """Record that the process was asked to stop. Who asked is not kept from it by a store that fails."""
        try:
            self.turn(sync=self.power)
        except HaftaError as error:
            self._tell(error.message, "the next call takes this stop for a crash")
        self.stopped = True

    def restore(self, position: Position) -> Position:
        """Give the caller back what it kept; return the position without it."""
        *outer, inner = position.levels
        kept = {name.removeprefix(KEPT): value for name, value in inner.state.items() if name.startswith(KEPT)}
        if self.keep is not None:
            self.keep.update(kept)
        state = {name: value for name, value in inner.state.items() if not name.startswith(KEPT)}
        return position.replace(levels=(*outer, inner.replace(state=state)))

    def tell_incidents(self) -> None:
        """Report what the store met and could go on from."""
        while self.claim.incidents:
            self._tell(_told(self.claim.incidents.pop(0)), "it went on")

    def _enter(self, levels: tuple[Level, ...]) -> None:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        try:
            frame = codec.frame(Position(levels, time.time(), now, self._boot, self._pid))
            if len(frame) > self.claim.capacity:
                raise _too_large(levels, len(frame), self.claim.capacity)
            self.claim.enter(frame)
            self.room = self.claim.capacity - len(frame)
        except StoreError as error:
            self.trouble(error)

    def trouble(self, error: StoreError) -> None:
        """Deal with a write that failed: raise that, or go on if that is wanted."""
        if error.final or not self._go_on(error):
            self.fatal = error = self._readable(error)
            raise error
        if not self.in_trouble:
            self.in_trouble = True
            self._tell(error.message, "the sequence goes on without; a crash resumes at an older record")

    def _readable(self, error: StoreError) -> StoreError:
        """Return the error as the caller knows kept values, with what else takes room, and how this store has more."""
        if error.kind not in {"value", "too-large"}:
            return error
        message, hint = error.message.replace(KEPT, "").replace("\\x00", ""), error.hint
        if error.kind == "too-large":
            hint, taken = getattr(self.claim, "more_room", "") or hint, self.claim.capacity - self.room
            message += f"; where the sequence stands takes {taken}" if taken > 0 else ""
        return StoreError(message, hint, kind=error.kind)

    def _tell(self, what: str, action: str) -> None:
        path = str(getattr(self.claim, "path", "")) or "of the memory"
        tell_trouble(self._runtime, self.names, path, what, action)


def tell_trouble(runtime: Runtime, names: tuple[str, str], path: str, what: str, action: str) -> None:
    """Report that a store could not do its part."""
    runtime.report(StoreTrouble(*names, path, what, action))


def boot_id() -> str:
    """Return the id of this boot of the machine; empty where the sandbox hides it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:  # hidden by ProcSubset=pid
        return ""


def _told(incident: Incident) -> str:
    return f"{incident.kind}: {incident.text}"


def _too_large(levels: tuple[Level, ...], size: int, room: int) -> StoreError:
    """Return the error for a position that does not fit into a record; it names what takes most."""
    states = [(visit.node, visit.state) for level in levels for visit in level.stack]
    states += [(level.node, level.state) for level in levels[:-1]]
    sizes = {
        f"the state {key!r} of node {node}": len(codec.encode(value, key))
        for node, state in states
        for key, value in state.items()
    }
    sizes |= {
        f"the names of the {len(level.nodes)} nodes of sequence {level.sequence}": len(codec.encode(level.nodes, ""))
        for level in levels
    }
    largest = max(sizes, key=lambda what: sizes[what])
    message = f"where the sequence stands, with the states of all visited nodes, needs {size} bytes"
    told = f"{message}, and there is room for {room}; most is for {largest}: {sizes[largest]}"
    return StoreError(told, "record less, or give the store more room", kind="too-large")
