"""Resuming a call that another process had recorded: from names to nodes, from a position to the engine's rules."""

from __future__ import annotations

import time

from hafta.boot import boot_id
from hafta.death import HOST, TIMEOUT, Death
from hafta.death import of as how_ended
from hafta.durable.position import Waiting
from hafta.engine.machine import Phase
from hafta.engine.node import Node
from hafta.engine.resume import Place, count, orphan
from hafta.engine.resume import resume as resume_machine
from hafta.errors import HaftaError, NodeTimeout, Orphaned
from hafta.stores.holder import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.durable.callrecord import CallRecord
    from hafta.durable.position import Position, SequencePosition
    from hafta.engine.machine import Machine
    from hafta.engine.resume import Doing
    from hafta.engine.shape import Shape
    from hafta.stores.protocol import Former


class Interrupted(HaftaError):
    """The reason of a node in which the process died: `pid` is that process, `age` how long ago, in seconds.

    `cause` is how it ended (a hafta.death.Death), where a warm parent or the overlord has seen it, where the machine
    has restarted since, or where this host has taken over from one that was lost; else None.
    """

    def __init__(self, pid: int, age: float, *, stopped: bool, cause: Death | None = None) -> None:
        what = f"process {pid} {'was stopped' if stopped else 'died'} in it, at least {age:.1f} s ago"
        super().__init__(what if cause is None else f"{what}: it {cause}")
        self.pid = pid
        self.age = age
        self.cause = cause


class TimedOut(Interrupted, NodeTimeout):
    """The reason of a node that did not return within its `timeout=`: a warm parent has ended its process."""


def begin(record: CallRecord, shape: Shape, machine: Machine, found: Waiting) -> tuple[Doing | None, Waiting | None]:
    """Begin the machine where the first of these positions says.

    Returns what is going on there (None: the orphaned function is to be asked), and what waits to be called in it.
    Raises Orphaned for a record of another version of the program, without such a function.
    """
    positions, origin = found.positions, found.origin
    nested = len(positions) > 1
    try:
        place = place_of(positions[0], shape)
    except Orphaned as error:
        if shape.orphaned_function is None:
            raise
        orphan(machine, _what_is_left(positions[0], shape), error)
        return None, None
    stopped = place.doing.stopped
    reason = _reason(record.claim.former, shape, place, origin, stopped=stopped)
    place = count(place, nested=nested)
    if isinstance(reason, TimedOut):  # its time is up, whatever it has called: it is undone, and that with it
        nested = False
    record.note_cause(reason.cause)
    _report(record, shape, place, reason)
    doing = resume_machine(machine, place, reason, at=record.runtime.now(), nested=nested)
    return doing, None if doing.entries is None else Waiting(positions[1:], origin, doing.entries)


def _reason(former: Former | None, shape: Shape, place: Place, origin: Position, *, stopped: bool) -> Interrupted:
    cause = None if stopped else _cause(former, origin)
    where = (cause.why, cause.sequence, cause.node) if cause is not None else None
    kind = TimedOut if where == (TIMEOUT, shape.name, place.node.name) else Interrupted
    return kind(origin.pid, age(origin, former), stopped=stopped, cause=cause)


def _cause(former: Former | None, origin: Position) -> Death | None:
    if _is_elsewhere(origin):
        return _lost(former, origin)
    if _is_of_another_boot(origin):
        return Death(origin.pid, why=HOST, detail="its machine has restarted since")
    return how_ended(origin.pid)


def _lost(former: Former | None, origin: Position) -> Death | None:
    """Return how the process on another host ended; None if it gave the record up itself, so that no host was lost."""
    holder = former.holder if former is not None else None
    if former is None or holder is None or (holder.host, holder.pid) != (origin.host, origin.pid):
        return Death(origin.pid, why=HOST, detail=f"on host {origin.host}", host=origin.host)
    if former.gave_up:
        return None
    free = "for how long nobody had the record is not known"
    if former.free is not None:
        free = f"nobody had the record for {former.free:.1f} s"
    detail = f"host {origin.host}, token {holder.token}, was not heard of until its lease ended; {free}"
    return Death(origin.pid, why=HOST, detail=detail, host=origin.host, token=holder.token)


def _is_elsewhere(origin: Position) -> bool:
    """Tell whether another host has written the record."""
    return origin.host not in {"", host()}


def _is_of_another_boot(position: Position) -> bool:
    """Tell whether the machine has ended with that process. Where the sandbox hides the boot's id, a clock may say."""
    here = boot_id()
    if position.boot and here:
        return position.boot != here
    return position.boottime > time.clock_gettime(time.CLOCK_BOOTTIME)


def place_of(position: SequencePosition, shape: Shape) -> Place:
    """Return the place in words of the engine. Raises Orphaned if this is not the sequence that was recorded."""
    then, nodes = position.doing.then, shape.nodes
    wanted = [position.node, *(visit.node for visit in position.stack)]
    if then is not None and then.to is not None:
        wanted.append(str(then.to))
    missing = [node for node in dict.fromkeys(wanted) if node not in nodes]
    if position.sequence != shape.name or position.version != shape.version or missing:
        raise Orphaned(shape.name, position, shape.version, missing)
    return _place(position, nodes[position.node], shape)


def age(position: Position, former: Former | None = None) -> float:
    """Return how many seconds ago the record's node was entered; of the wall clock after a reboot.

    The clock of another host says nothing here: then it is how long nobody had the record, at least.
    """
    if _is_elsewhere(position):
        return (former.free if former is not None else None) or 0.0
    if position.boot and position.boot == boot_id():
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - position.boottime)
    return max(0.0, time.time() - position.entered)


def report_decision(record: CallRecord, shape: Shape, machine: Machine) -> None:
    """Report what the orphaned function has decided."""
    from hafta.journal.durable_events import OrphanDecided

    error = machine.reason
    if not isinstance(error, Orphaned):
        return
    at = machine.node if machine.rerun is None else machine.rerun.node
    ends = {Phase.DONE: "exit", Phase.FAILED: "fail sequence", Phase.PANICKED: "panic"}
    verdict = ends.get(machine.phase) or f"proceed to {at}"
    position, missing = error.position, ", ".join(error.missing) or None
    instance = record.checkpoints.instance
    record.runtime.report(
        OrphanDecided(shape.name, instance, position.node, position.version, missing, str(error), verdict)
    )


def _what_is_left(position: SequencePosition, shape: Shape) -> Place:
    """Return the place with the nodes that the program still has; a stand-in for a current one that is gone."""
    left = [visit for visit in position.stack if visit.node in shape.nodes]
    node = shape.nodes.get(position.node) or Node(position.node, lambda _run: None)
    return _place(position.replace(stack=tuple(left)), node, shape)


def _place(position: SequencePosition, node: Node, shape: Shape) -> Place:
    stack = tuple((shape.nodes[visit.node], visit.checkpoint, visit.state or None) for visit in position.stack)
    return Place(node, position.doing, position.attempt, position.checkpoint, position.state or None, stack)


def _report(record: CallRecord, shape: Shape, place: Place, reason: Interrupted) -> None:
    from hafta.journal.durable_events import Resumed

    checkpoints, doing = record.checkpoints, place.doing
    event = Resumed(
        shape.name, place.node.name, place.checkpoint, place.attempt, checkpoints.instance,
        round(reason.age * 1_000_000), begun=doing.begun, stopped=doing.stopped,
        cause=None if reason.cause is None else str(reason.cause),
    )  # fmt: skip
    record.runtime.report(event)
