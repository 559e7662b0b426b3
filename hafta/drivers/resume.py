"""Resuming a call that a dead process had recorded (docs/durable.md)."""

from __future__ import annotations

import time

from hafta.drivers.ledger import BETWEEN, ROLLBACK, STOPPED, TAKING_UP, UNWIND, boot_id
from hafta.engine.default import LIMIT
from hafta.engine.machine import Phase
from hafta.engine.place import Place, enter_again, resume
from hafta.engine.words import EXIT, ROLL_BACK_PREVIOUS, Act, Kind, PolicyEvent, Verdict
from hafta.errors import HaftaError, IllegalMove, Orphaned
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.drivers.conductor import Conductor
    from hafta.engine.machine import Machine
    from hafta.engine.node import Node
    from hafta.sequence import Sequence
    from hafta.stores.codec import Level, Position


class Interrupted(HaftaError):
    """The reason of a node in which the process died: `pid` is that process, `age` how long ago, in seconds."""

    def __init__(self, pid: int, age: float, *, stopped: bool) -> None:
        super().__init__(f"process {pid} {'was stopped' if stopped else 'died'} in it, at least {age:.1f} s ago")
        self.pid = pid
        self.age = age


class Found(Record):
    """What the record of one sequence says, in words of the engine."""

    place: Place
    stopped: bool
    taking_up: bool  # died while nodes were being taken up
    said: str  # the phase as it was recorded
    gives_up: bool = False  # taking up has killed so many processes that it is not tried any more (rule 6)


def read(level: Level, sequence: Sequence) -> Found:
    """Return what a record says. Raises Orphaned if the sequence is not the one that wrote it."""
    _check(level, sequence)
    said = level.phase
    taking_up, said = said.startswith(TAKING_UP), said.removeprefix(TAKING_UP)
    stopped, said = said.startswith(STOPPED), said.removeprefix(STOPPED)
    word, *rest = said.split(" ", 3)
    phase = {BETWEEN: Phase.IDLE, ROLLBACK: Phase.ROLLBACK, UNWIND: Phase.UNWIND}.get(word, Phase.NORMAL)
    nodes = sequence.nodes
    stack = tuple((nodes[visit.node], visit.checkpoint, visit.state or None) for visit in level.stack)
    then, deaths = _then(rest) if phase is Phase.UNWIND else (ROLL_BACK_PREVIOUS, 0)
    place = Place(
        nodes[level.node], phase, level.attempt, level.checkpoint, level.state or None, stack, then=then, deaths=deaths
    )
    return Found(place, stopped, taking_up, said)


def begin(conductor: Conductor, position: Position, levels: tuple[Level, ...]) -> list[Node]:
    """Begin the machine where the record says, and return the nodes that are to be taken up first."""
    ledger = conductor.ledger
    assert ledger is not None
    found = _count_taking_up(read(levels[0], conductor.sequence))
    reason = Interrupted(position.pid, age(position), stopped=found.stopped)
    ledger.position = position
    ledger.pending = () if found.gives_up else levels[1:]
    ledger.deaths = found.place.deaths + (not found.stopped)
    if ledger.pending:
        enter_again(conductor.machine, found.place)
    else:
        resume(conductor.machine, found.place, reason, counted=not found.stopped, at=conductor.runtime.now())
        _report(conductor, reason.age)
    if found.gives_up:
        return []
    local = [node for node, _, _ in found.place.stack if not node.durable]
    if local:
        ledger.taking_up(found.said)
    return local


def only(node: Node, sequence: Sequence) -> dict[Any, Node | Verdict]:
    """Return targets for a machine that ends when this node has succeeded: every other one means EXIT."""
    return {name: target if target is node else EXIT for name, target in sequence.targets.items()}


def taken_up(conductor: Conductor, node: Node, machine: Machine) -> None:
    """Put a node that was taken up in its place on the stack, with the checkpoint that it has now."""
    if machine.kind is not Kind.NORMAL_SUCCESS:
        hint = "let the rollback function of a process-local node name that node"
        raise IllegalMove(f"node {node} cannot be taken up: its rollback went on to another node", hint)
    conductor.machine.stack[node] = (machine.checkpoint, machine.state)


def ask_orphaned(conductor: Conductor, level: Level, error: Orphaned) -> None:
    """Let the program's own function decide about a record of another shape. Without one, the error is raised."""
    sequence = conductor.sequence
    if sequence.orphaned_function is None:
        raise error
    node = sequence.nodes.get(level.node) or next(iter(sequence.nodes.values()))
    event = PolicyEvent(
        Kind.ORPHANED, node, reason=error, attempt=level.attempt, checkpoint=level.checkpoint, state=level.state
    )
    _carry_out(conductor, sequence.orphaned_function(conductor.run, event), level, error)


def age(position: Position) -> float:
    """Return how many seconds ago the record's node was entered; of the wall clock after a reboot."""
    if position.boot and position.boot == boot_id():
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - position.boottime)
    return max(0.0, time.time() - position.entered)


def _carry_out(conductor: Conductor, verdict: object, level: Level, error: Orphaned) -> None:
    machine, sequence = conductor.machine, conductor.sequence
    if not isinstance(verdict, Verdict) or verdict.act not in {Act.PROCEED, Act.EXIT, Act.FAIL_SEQUENCE, Act.PANIC}:
        hint = "answer proceed(node), EXIT, FAIL_SEQUENCE or PANIC"
        raise IllegalMove(f"the orphaned function of sequence {sequence.name} answered {verdict!r}", hint)
    machine.start(verdict.to if verdict.act is Act.PROCEED else next(iter(sequence.nodes)))
    if verdict.act is Act.PROCEED:
        kept = [visit for visit in level.stack if visit.node in sequence.nodes]
        for visit in kept:
            machine.stack[sequence.nodes[visit.node]] = (visit.checkpoint, visit.state or None)
        machine.stack.pop(machine.node, None)
        return
    machine.interrupt(error, conductor.runtime.now(), undoing=True)
    machine.decide(verdict)


def _check(level: Level, sequence: Sequence) -> None:
    wanted = dict.fromkeys((level.node, *(visit.node for visit in level.stack)))
    missing = [node for node in wanted if node not in sequence.nodes]
    if level.sequence != sequence.name or level.version != sequence.version or missing:
        raise Orphaned(sequence.name, level, sequence.version, missing)


def _then(rest: list[str]) -> tuple[Verdict, int]:
    deaths, act, *to = rest
    return Verdict(Act[act], to[0] if to else None), int(deaths)


def _count_taking_up(found: Found) -> Found:
    """Count a death while taking up, where nothing else counts it: between nodes, or for an inner sequence."""
    place = found.place
    if not found.taking_up or found.stopped:
        return found
    gives_up = place.attempt + 1 >= LIMIT
    if gives_up and place.phase is Phase.IDLE:  # nothing of the next node is to be undone: on to the previous one
        place = place.replace(phase=Phase.ROLLBACK)
    elif place.phase is Phase.IDLE:
        place = place.replace(attempt=place.attempt + 1)
    return found.replace(place=place, gives_up=gives_up)


def _report(conductor: Conductor, seconds: float) -> None:
    from hafta.journal.events import Resumed

    machine = conductor.machine
    instance = "" if conductor.ledger is None else conductor.ledger.instance
    conductor.runtime.report(
        Resumed(
            conductor.sequence.name, machine.node.name, machine.checkpoint, machine.attempt, instance,
            round(seconds * 1_000_000),
        )
    )  # fmt: skip
