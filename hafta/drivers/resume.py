"""Resuming a call that a dead process had recorded (docs/durable.md)."""

from __future__ import annotations

import time

from hafta.drivers.book import boot_id
from hafta.drivers.conductor import stand_in
from hafta.drivers.ledger import AGAIN, BACK, BETWEEN, NORMAL, ROLLBACK, STOPPED, TAKING_UP, UNWIND
from hafta.engine.default import LIMIT
from hafta.engine.machine import Phase
from hafta.engine.node import Node
from hafta.engine.place import Place, give_up, resume
from hafta.engine.words import ROLL_BACK_PREVIOUS, Act, Kind, PolicyEvent, Verdict
from hafta.errors import HaftaError, IllegalMove, Orphaned, StoreError
from hafta.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.conductor import Conductor
    from hafta.drivers.ledger import Ledger
    from hafta.sequence import Sequence
    from hafta.stores.codec import Level, Position

#: Word: the function, and whether it had begun.
_WORDS = {
    BETWEEN: (Phase.NORMAL, False),
    NORMAL: (Phase.NORMAL, True),
    BACK: (Phase.ROLLBACK, False),
    ROLLBACK: (Phase.ROLLBACK, True),
    UNWIND: (Phase.UNWIND, True),
}


class Interrupted(HaftaError):
    """The reason of a node in which the process died: `pid` is that process, `age` how long ago, in seconds."""

    def __init__(self, pid: int, age: float, *, stopped: bool) -> None:
        super().__init__(f"process {pid} {'was stopped' if stopped else 'died'} in it, at least {age:.1f} s ago")
        self.pid = pid
        self.age = age


class Found(Record):
    """What the record of one sequence says, in words of the engine."""

    place: Place
    stopped: bool = False
    tries: int | None = None  # processes that died taking up, if that is what was going on
    agains: int | None = None  # processes that died in a function that was re-entered, if one was


def understand(levels: tuple[Level, ...]) -> None:
    """Raise StoreError of kind "newer" for a record that says what this program does not know, in any sequence."""
    for level in levels:
        _said(level)


def read(level: Level, sequence: Sequence) -> Found:
    """Return what a record says. Raises Orphaned if the sequence is not the one that wrote it; StoreError."""
    tries, stopped, agains, (phase, begun), then, deaths = _said(level)
    _check(level, sequence, then)
    nodes = sequence.nodes
    stack = tuple((nodes[visit.node], visit.checkpoint, visit.state or None) for visit in level.stack)
    state = level.state or None
    place = Place(nodes[level.node], phase, begun, level.attempt, level.checkpoint, state, stack, then, deaths)
    return Found(place, stopped, tries, agains)


def begin(conductor: Conductor, position: Position, levels: tuple[Level, ...]) -> list[Node]:
    """Begin the machine where the record says, and return the nodes that are to be taken up first."""
    ledger, machine = conductor.ledger, conductor.machine
    assert ledger is not None
    found = count(read(levels[0], conductor.sequence), nested=len(levels) > 1)
    place, reason, at = (
        found.place,
        Interrupted(position.pid, age(position), stopped=found.stopped),
        conductor.runtime.now(),
    )
    _report(conductor, ledger, found, reason.age)
    if (found.tries or 0) >= LIMIT:
        give_up(machine, place, reason, at=at)
        ledger.resumes(BACK, deaths=place.deaths)
        conductor.owes = machine.phase is not Phase.ROLLBACK
        return [] if conductor.owes else _nodes_to_take_up(conductor, ledger, 0)
    again = len(levels) > 1 and (found.agains or 0) < LIMIT and place.deaths < LIMIT
    if again:
        ledger.pending, ledger.agains, ledger.position = levels[1:], found.agains or 0, position
    resume(machine, place, reason, at=at, again=again)
    ledger.resumes(_word(ledger, place), deaths=place.deaths)
    return _nodes_to_take_up(conductor, ledger, found.tries or 0)


def count(found: Found, *, nested: bool) -> Found:
    """Count the death of the process, where it counts; a stop is none."""
    place = found.place
    if found.stopped:
        return found
    if found.tries is not None:
        return found.replace(tries=found.tries + 1, place=place.replace(attempt=place.attempt + 1))
    if nested and found.agains is None:
        return found.replace(agains=0)  # it counts in the inner sequence
    if nested:
        found = found.replace(agains=(found.agains or 0) + 1)
    if place.phase is Phase.UNWIND:
        return found.replace(place=place.replace(deaths=place.deaths + 1))
    return found.replace(place=place.replace(attempt=place.attempt + place.begun))


def owed(conductor: Conductor) -> list[Node]:
    """Return the nodes that are to be taken up now that a node was unwound without."""
    conductor.owes = False
    ledger = conductor.ledger
    assert ledger is not None
    return _nodes_to_take_up(conductor, ledger, 0)


def ask_orphaned(conductor: Conductor, level: Level, error: Orphaned) -> list[Node]:
    """Let the program's own function decide about a record of another shape. Without one, the error is raised.

    Returns the nodes that are to be taken up first.
    """
    sequence, ledger, machine = conductor.sequence, conductor.ledger, conductor.machine
    assert ledger is not None
    if sequence.orphaned_function is None:
        raise error
    node = sequence.nodes.get(level.node) or Node(level.node, stand_in)  # one that is gone, for what tells of it
    machine.restore(node, level.attempt, level.checkpoint, level.state or None)
    event = PolicyEvent(
        Kind.ORPHANED, node, reason=error, attempt=level.attempt, checkpoint=level.checkpoint, state=level.state
    )
    ledger.silent = True  # what that function does is no part of what it is asked about
    verdict = sequence.orphaned_function(conductor.run, event)
    ledger.silent = False
    _carry_out(conductor, ledger, verdict, level, error)
    return _nodes_to_take_up(conductor, ledger, 0)


def age(position: Position) -> float:
    """Return how many seconds ago the record's node was entered; of the wall clock after a reboot."""
    if position.boot and position.boot == boot_id():
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - position.boottime)
    return max(0.0, time.time() - position.entered)


def _nodes_to_take_up(conductor: Conductor, ledger: Ledger, tries: int) -> list[Node]:
    """Return the process-local nodes of the stack, having recorded that they are about to be run."""
    machine = conductor.machine
    if machine.phase in {Phase.DONE, Phase.FAILED, Phase.PANICKED}:
        return []
    local = [node for node in machine.stack if not node.durable]
    if local:
        ledger.taking_up(ledger.word, tries)
    elif machine.phase is Phase.ASK and machine.node.policy_function is not None:
        ledger.persist()  # a policy that kills its process is counted, too
    return local


def _carry_out(conductor: Conductor, ledger: Ledger, verdict: object, level: Level, error: Orphaned) -> None:
    machine, sequence = conductor.machine, conductor.sequence
    if not isinstance(verdict, Verdict) or verdict.act not in {Act.PROCEED, Act.EXIT, Act.FAIL_SEQUENCE, Act.PANIC}:
        hint = "answer proceed(node), EXIT, FAIL_SEQUENCE or PANIC"
        raise IllegalMove(f"the orphaned function of sequence {sequence.name} answered {verdict!r}", hint)
    if verdict.act is Act.PROCEED:
        machine.start(verdict.to)
        for visit in level.stack:
            if visit.node in sequence.nodes:
                machine.stack[sequence.nodes[visit.node]] = (visit.checkpoint, visit.state or None)
        machine.stack.pop(machine.node, None)
    else:
        machine.interrupt(error, conductor.runtime.now(), clean=True)
        machine.decide(verdict)
    _report_orphaned(conductor, ledger, verdict, level, error)


def _check(level: Level, sequence: Sequence, then: Verdict) -> None:
    wanted = [level.node, *(visit.node for visit in level.stack)]
    if then.to is not None:
        wanted.append(str(then.to))
    missing = [node for node in dict.fromkeys(wanted) if node not in sequence.nodes]
    if level.sequence != sequence.name or level.version != sequence.version or missing:
        raise Orphaned(sequence.name, level, sequence.version, missing)


def _said(level: Level) -> tuple[int | None, bool, int | None, tuple[Phase, bool], Verdict, int]:
    """Return what a level's phase says: tries, whether stopped, agains, the function, what follows it, deaths in it."""
    try:
        tries, stopped, agains, word, rest = _parse(level.phase)
        then, deaths = _then(rest) if word == UNWIND else (ROLL_BACK_PREVIOUS, 0)
        return tries, stopped, agains, _WORDS[word], then, deaths
    except (IndexError, KeyError, ValueError):
        hint = "run the newer version of HAFTA that wrote it, or begin anew: hafta checkpoints discard"
        message = f"the record says {level.phase!r} of sequence {level.sequence}, which this program does not know"
        raise StoreError(message, hint, kind="newer") from None


def _parse(phase: str) -> tuple[int | None, bool, int | None, str, list[str]]:
    """Return the parts of what a record says, in their order (see ledger.py)."""
    said = phase.split(" ")
    tries = _number(said, TAKING_UP)
    stopped = said[0] == STOPPED
    if stopped:
        del said[0]
    agains = _number(said, AGAIN)
    return tries, stopped, agains, said[0], said[1:]


def _number(said: list[str], word: str) -> int | None:
    """Take the word and its number off the beginning."""
    if said[0] != word:
        return None
    number = int(said[1])
    del said[:2]
    return number


def _then(rest: list[str]) -> tuple[Verdict, int]:
    deaths, act, *to = rest
    return Verdict(Act[act], " ".join(to) if to else None), int(deaths)


def _word(ledger: Ledger, place: Place) -> str:
    ledger.deaths = place.deaths
    if place.phase is Phase.UNWIND:
        return ledger.unwinding(place.then)
    return next(word for word, meaning in _WORDS.items() if meaning == (place.phase, place.begun))


def _report(conductor: Conductor, ledger: Ledger, found: Found, seconds: float) -> None:
    from hafta.journal.durable_events import Resumed

    place, usec = found.place, round(seconds * 1_000_000)
    name, node = conductor.sequence.name, place.node.name
    event = Resumed(
        name, node, place.checkpoint, place.attempt, ledger.instance, usec, begun=place.begun, stopped=found.stopped
    )
    conductor.runtime.report(event)


def _report_orphaned(conductor: Conductor, ledger: Ledger, verdict: Verdict, level: Level, error: Orphaned) -> None:
    from hafta.journal.durable_events import OrphanDecided

    name, missing = conductor.sequence.name, ", ".join(error.missing) or None
    event = OrphanDecided(name, ledger.instance, level.node, level.version, missing, str(error), repr(verdict)[1:-1])
    conductor.runtime.report(event)
