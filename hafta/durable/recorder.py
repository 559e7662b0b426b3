"""The recorder of one sequence: an observer that has a record say what is to be undone if the process dies now.

Rules:

1. A function is on record before it begins, a checkpoint when run.checkpoint() returns. Where control goes from one
   function to the next is on record with that one's beginning, and before it only if a wait comes first.
2. `current` is what the record says of this sequence. It is replaced in one step, before a function begins and after
   one has ended: so it never says that less had begun than had.
3. A stop may come at any line, also in the middle of a move of the machine. It is recorded as `current` with the newest
   checkpoint of that function and the word "stopped"; where the verdict has been carried out, `_next` says so. The
   machine is not asked while it moves.
4. While local nodes run again, the record says what was interrupted, and nothing that they do is recorded.
5. An inner sequence waits in its caller until it has a `current` itself: at any line one of the two says where it is.
6. A change of several values makes the one that counts first, so that a stop in between finds the old or the new one.

Invariant: at any moment the newest record says at least what is to be undone if the process dies now, and what a stop
records is something that was so.
"""

from __future__ import annotations

import sys

from hafta.drivers.observer import Observer
from hafta.durable import resume
from hafta.durable.position import SequencePosition, Visit
from hafta.engine.machine import OVER, Phase
from hafta.engine.resume import ENDED, NEXT, RUNS, UNDOES, next_of
from hafta.engine.words import Kind, Verdict
from hafta.errors import HaftaError, IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hafta.durable.callrecord import CallRecord
    from hafta.durable.position import Waiting
    from hafta.engine.machine import Machine, Mark
    from hafta.engine.node import Node
    from hafta.engine.resume import Doing
    from hafta.engine.shape import Shape


# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _UNWIND, _ASK, _DONE = Phase.NORMAL, Phase.UNWIND, Phase.ASK, Phase.DONE
_NORMAL_SUCCESS, _NORMAL_FAIL, _ORPHANED = Kind.NORMAL_SUCCESS, Kind.NORMAL_FAIL, Kind.ORPHANED


class Recorder(Observer):
    """What one sequence records of itself."""

    sees_every_step = True

    __slots__ = ("_mark", "_next", "_nodes", "_reruns", "_visits", "current", "machine", "record", "shape", "waiting")

    def __init__(self, record: CallRecord, shape: Shape, machine: Machine) -> None:
        self.record = record
        self.shape = shape
        self.machine = machine
        self.current: SequencePosition | None = None  # None: nothing has begun
        self.waiting: Waiting | None = None
        self._next: Doing | None = None  # where the verdict led, until that function begins
        #: The newest checkpoint, and of what.
        self._mark: tuple[SequencePosition | None, int, dict[str, Any]] | None = None
        self._reruns = False  # whether it is on record that local nodes run again
        self._nodes = tuple(shape.nodes)
        self._visits: dict[Node, tuple[Mark, Visit]] = {}
        record.chain.append(self)

    @property
    def token(self) -> int:
        """The fencing token of the record; 0: its store has none."""
        return self.record.claim.token

    def entering(self, machine: Machine) -> None:
        """Record that a normal function is about to run."""
        if machine.rerun is None:
            self._begins(RUNS)
        else:
            self._rerun(machine)

    def undoing(self, machine: Machine) -> None:
        """Record that a rollback function is about to run."""
        if machine.rerun is not None:
            self._rerun(machine)
        else:
            self._begins(self._unwinding() if machine.phase is _UNWIND else UNDOES)

    def checkpoint(self, value: int, state: dict[str, Any], sync: bool) -> None:  # by position: the hot path
        """Record a checkpoint of the function that runs."""
        record, current = self.record, self.current
        if record.in_force is self:
            self._mark = (current, value, state)
            record.write(value, state, sync or record.checkpoints.power)
        elif current is not None and self.is_recorded:
            self._mark = (current, value, state)
            if record.stopped and _asked_to_stop(sys.exception()):  # in a `finally`, while a stop goes through
                record.write_stopped(self)
            else:
                self._write(self.stands(), sync=sync or record.checkpoints.power)

    def ended(self, machine: Machine) -> None:
        """Refuse the success of a function that has left an interrupted inner sequence out: undo what that had begun.

        Raises HaftaError, which is a failure of the function.
        """
        if self.waiting is not None and machine.rerun is None:
            left = self._left()
            self.nobody_waits()
            raise HaftaError(left, "call it again: run.call() resumes it")

    def failed(self, machine: Machine) -> None:
        """Note the failure, and take back what the function has changed of the caller's own values.

        What undoes it undoes the inner sequences that it had called, too. Raises what the call cannot go on from: a
        StoreError is not a failure of the function that meets it.
        """
        if self.record.trouble.fatal is not None:
            raise self.record.trouble.fatal
        stands = self.stands()
        if stands is None:
            return
        if machine.rerun is None:
            if machine.kind is _NORMAL_FAIL:
                stands = stands.replace(attempt=machine.attempt)
            if stands.doing.entries is not None:
                stands = stands.replace(doing=stands.doing.replace(entries=None))
            self.current = stands
            self._next = self.waiting = None  # it may have failed before it was on record as begun
        self.record.kept.revert(stands.kept)

    def moved(self, machine: Machine) -> None:
        """Note where control goes; record it where a wait comes before the next function."""
        if machine.kind is _ORPHANED and self.current is None:
            resume.report_decision(self.record, self.shape, machine)
            self.waiting = None
        if self._reruns:
            self._reran(machine)
        elif machine.phase not in OVER:
            if machine.kind is _NORMAL_SUCCESS and machine.phase is not _NORMAL and self.current is not None:
                self.record.kept.revert(self.current.kept)  # its policy has refused the success
            self._next = self._named(next_of(machine))
            if machine.delay:
                self._write(self._position(self._next), sync=False)
                self._next = None

    def resume(self, found: Waiting) -> None:
        """Begin the machine where the record says, and take over what is going on there, its deaths counted.

        Raises Orphaned for a record of another version of the program.
        """
        machine = self.machine
        doing, self.waiting = resume.begin(self.record, self.shape, machine, found)
        if doing is None:
            self.waiting = found  # until the orphaned function has decided, the record stays as it is
            return
        if machine.rerun is not None:  # a stop may come before that is on record again: the count stays
            doing = doing.replace(reruns=machine.rerun.deaths)
        self.current = self._position(self._named(doing))
        self._has_begun()
        if machine.phase is _ASK and machine.rerun is None and machine.node.policy_function is not None:
            self._write(self.current, sync=False)  # a policy that kills its process is to be counted, too

    def nested(self, shape: Shape, machine: Machine) -> Recorder | None:
        """Return the recorder of an inner sequence that is being called, its machine begun if it resumes.

        None: what is called here is not recorded. Raises IllegalMove while another one runs, HaftaError where another
        one was interrupted, Orphaned.
        """
        if not self.is_recorded or self.current is None:
            return None
        chain = self.record.chain
        if chain[-1] is not self:
            hint = "call one after the other, or call it without `run`: then it is not recorded"
            inside = chain[-1].shape.name
            raise IllegalMove(f"sequence {shape.name} is called while {inside} runs in the same durable call", hint)
        waiting = self.waiting
        if waiting is not None and waiting.positions[0].sequence != shape.name:
            hint = "skip what is done (run.state), or give each inner sequence its own node"
            raise HaftaError(f"{self._left()}, but {shape.name}", hint)
        if waiting is None:
            return Recorder(self.record, shape, machine)
        inner = Recorder(self.record, shape, machine)
        self._resume_inner(inner, waiting)
        return inner

    @property
    def is_recorded(self) -> bool:
        """Whether what its functions do is recorded: not what policies call, nor local nodes that run again."""
        machine = self.machine
        return machine.rerun is None and machine.phase is not _ASK and self in self.record.chain

    def leave(self, error: BaseException | None) -> None:
        """Leave the record as the next call should find it. May be called again when it was cut off itself."""
        asked = error is not None and _asked_to_stop(error)
        if self in self.record.chain:
            if self.current is None and self.waiting is not None:
                if error is not None and self is not self.record.chain[0]:
                    self._outer().put_back(self.waiting, error)  # its orphaned function has not decided
            elif error is None:
                self._finish()
            elif asked and self.current is not None:
                self._finish_stopped()
            # else the record stays as it is: the next call takes this for a crash, or nothing has begun
            if error is not None and self.current is not None and not (asked and self._counts):
                self.record.kept.revert(self.current.kept)
        self.drop()

    def drop(self) -> None:
        """Leave the record to the sequences outside of this one."""
        chain = self.record.chain
        if self in chain:
            del chain[chain.index(self) :]
            self.record.in_force = None

    @property
    def _counts(self) -> bool:
        """Whether the newest function has succeeded, so that what it has changed of the caller's values counts."""
        return self._next is not None or self.machine.phase is _DONE

    def _begins(self, doing: Doing) -> None:
        self._reruns = False
        self.record.leave_inside(self)
        position = self._position(self._waits(doing))
        if self.current is None:
            self.current = position.replace(doing=NEXT)
            self._has_begun()
        self._write(position, sync=self.record.checkpoints.power)
        self._next = None

    def _rerun(self, machine: Machine) -> None:
        """Record, once, that local nodes are about to run again, and how many processes have died of that."""
        if self._reruns or self.current is None or machine.rerun is None:
            return
        doing = self._next or self.current.doing
        self._write(self._position(doing.replace(reruns=machine.rerun.deaths)), sync=self.record.checkpoints.power)
        self._next = None
        self._reruns = True
        self.record.in_force = None

    def _reran(self, machine: Machine) -> None:
        """Take back what a local node has changed: it has counted already. Go on when the last of them is done."""
        assert self.current is not None
        self.record.kept.revert(self.current.kept)
        if machine.rerun is None:
            self._reruns = False
            self.current = self._position(self.current.doing.replace(reruns=None))

    def _resume_inner(self, inner: Recorder, waiting: Waiting) -> None:
        try:
            self.record.kept.load(waiting.positions[0].kept)
            inner.resume(waiting)
        except BaseException as error:
            self.put_back(waiting, error)
            raise

    def put_back(self, waiting: Waiting, error: BaseException) -> None:
        """Keep what an inner sequence could not resume, for the next call.

        That is not a failure of the node that called it, and this call cannot go on: it ends as after a stop.
        """
        chain = self.record.chain
        del chain[chain.index(self) + 1 :]
        self.record.in_force = None
        self.waiting = waiting
        if self.record.trouble.fatal is None and isinstance(error, Exception):
            self._stop()
            self.record.trouble.fatal = error

    def _outer(self) -> Recorder:
        chain = self.record.chain
        outer = chain[chain.index(self) - 1]
        assert isinstance(outer, Recorder)
        return outer

    def _finish(self) -> None:
        """Record that this sequence has ended, or what is still to be undone: after a panic, all."""
        machine = self.machine
        if machine.phase in {_DONE, Phase.FAILED} and not machine.has_failed_to_rerun:
            self._end()
        else:
            self._stop()

    def _finish_stopped(self) -> None:
        """Do so when the process was asked to stop. A store that fails does not hold the stop up."""
        try:
            self._finish()
        except HaftaError as error:
            self.record.cannot_stop(error)

    def _has_begun(self) -> None:
        """Let the outer sequence know that this one does not wait there any more (rule 5)."""
        if self is not self.record.chain[0]:
            self._outer().nobody_waits()

    def _end(self) -> None:
        """Record that this sequence has ended: nothing to resume, or the outer node goes on."""
        record = self.record
        record.leave_inside(self)
        if self is not record.chain[0]:
            outer = self._outer()
            outer.nobody_waits()
            self.drop()
            stands = outer.stands()
            assert stands is not None
            record.turn(outer, stands, sync=record.checkpoints.power)
            return
        kept = record.kept.snapshot()
        if kept:
            ended = SequencePosition(
                self.shape.name, self.shape.version, self._nodes, self.machine.node.name, ENDED, kept=kept
            )
            record.turn(self, ended, sync=record.checkpoints.power)
            self.current = ended
        else:
            record.end()
        record.has_ended()

    def _stop(self) -> None:
        """Record that somebody asked the process to stop: what it was doing is to be undone, but is not a failure."""
        position = self.stands()
        if self.record.stopped or position is None:
            return  # the sequence inside of this one has; or nothing has begun
        self.record.stop(self, position.replace(doing=self._waits(position.doing)))

    def _write(self, position: SequencePosition | None, *, sync: bool) -> None:
        if position is not None:
            self.record.turn(self, position, sync=sync)
            self.current = position

    def stands(self) -> SequencePosition | None:
        """Return where the sequence stands, whatever the machine is in the middle of (rule 3)."""
        current, mark = self.current, self._mark
        if current is None:
            return None
        if self._next is not None:
            return self._position(self._next)
        if mark is not None and mark[0] is current:
            return current.replace(checkpoint=int(mark[1]), state=mark[2])
        return current

    def _position(self, doing: Doing) -> SequencePosition:
        """Return where the machine stands, or, while local nodes run again, what is put off stands."""
        at = self.machine if self.machine.rerun is None else self.machine.rerun
        checkpoint, state = at.mark
        visits = tuple([self._visit(node, mark) for node, mark in at.stack.items()])
        shape = self.shape
        return SequencePosition(
            shape.name, shape.version, self._nodes, at.node.name, doing, at.attempt,
            int(checkpoint), state or {}, visits, self.record.kept.snapshot(),
        )  # fmt: skip

    def _visit(self, node: Node, mark: Mark) -> Visit:
        """Return the record of a visited node; the same one as long as it stands on the stack."""
        known = self._visits.get(node)
        if known is None or known[0] is not mark:
            checkpoint, state = mark
            self._visits[node] = known = (mark, Visit(node.name, int(checkpoint), state or {}))
        return known[1]

    def nobody_waits(self) -> None:
        """Forget the inner sequences that were interrupted here: they are called, or undone with this function."""
        stands = self.stands()
        if stands is not None and stands.doing.entries is not None:
            self.current = stands.replace(doing=stands.doing.replace(entries=None))
        self.waiting = None

    def _waits(self, doing: Doing) -> Doing:
        return doing if self.waiting is None else doing.replace(entries=self.waiting.entries)

    def _unwinding(self) -> Doing:
        return self._named(next_of(self.machine))

    def _named(self, doing: Doing) -> Doing:
        """Return it with the name of the node that follows, as a record has it."""
        then = doing.then
        if then is None or then.to is None or isinstance(then.to, str):
            return doing
        return doing.replace(then=Verdict(then.act, str(self.shape.targets[then.to])))

    def _left(self) -> str:
        assert self.waiting is not None
        left = self.waiting.positions[0]
        return f"the inner sequence {left.sequence} was interrupted in node {left.node}, and has not been called again"


def _asked_to_stop(error: BaseException | None) -> bool:
    """Return whether somebody asked for this: SIGTERM to a service, Ctrl-C, sys.exit(), a cancelled task."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
