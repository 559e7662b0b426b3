"""The machine: where one call of a sequence stands, and what comes next.

Theory of operation
===================

 1. A call has a current node, a stack of visited nodes, a count of the current node's consecutive failures, and a
    phase: NORMAL or ROLLBACK (that function of the current node runs), ASK (its policy is asked), UNWIND (its rollback
    function runs, and what follows is settled already), UNWOUND (it has run), or an end: DONE, FAILED, PANICKED.
 2. A function ends once: with success, naming a node or EXIT, or with failure, giving a reason. That leads to ASK, and
    from UNWIND to UNWOUND, which go_on() leaves. A second end is an illegal move.
 3. NORMAL_SUCCESS accepted (proceed, exit): the node goes on the stack with its last checkpoint and state.
 4. A failed attempt is rolled back exactly once, whatever the verdict, panic excepted: ROLL_BACK_CURRENT runs the
    rollback function and asks the policy about its outcome; every other verdict unwinds, which runs the rollback
    function, records its failure if it fails, follows no node that it names, and then carries the verdict out. A
    success that the policy refuses (roll back, fail the sequence) is rolled back in the same way.
 5. After ROLLBACK_SUCCESS or ROLLBACK_FAIL the rollback function has just run, so no verdict runs it again, but for
    ROLL_BACK_CURRENT after ROLLBACK_FAIL, which tries it once more. After ROLLBACK_SUCCESS there is nothing to roll
    back in the current node: ROLL_BACK_CURRENT is an illegal move.
 6. ROLL_BACK_PREVIOUS takes the topmost node off the stack, makes it the current one, and runs its rollback function
    with the last checkpoint that it had set; the outcome goes to its policy. With nothing on the stack the sequence
    fails.
 7. A node without a rollback function behaves as if that had succeeded and named its own node: the drivers put such a
    function in its place.
 8. Entering a node takes it off the stack, and starts it with checkpoint 0 and no state. So a node stands on the stack
    at most once, at its last visit, and the current one not at all: a sequence that goes round for ever needs no
    more room than its nodes, and unwinding ends.
 9. The count grows with NORMAL_FAIL and INTERRUPTED. It ends with NORMAL_SUCCESS accepted and when control leaves the
    node; a rollback that names its own node keeps it.
10. FAIL_SEQUENCE leaves the visited nodes as they are: who wants them undone answers ROLL_BACK_PREVIOUS.
11. An illegal move raises IllegalMove and leaves everything as it was: a function that ends twice, a node that is not
    one of the sequence, a verdict that is none or not one for this event, a move after the end.

Beginning where a process died is in place.py (rules 12 to 17).

Invariant: after any moves, legal or not, each node stands on the stack at most once, the current one (until DONE) not
at all, and every attempt that failed has had its rollback function run exactly once before another attempt of that node
begins.

Whoever changes a rule changes the naive model in tests/unit/engine, the drivers, and docs/sequences.md.
"""

from __future__ import annotations

from enum import Enum

from hafta.engine.default import LIMIT, default_verdict
from hafta.engine.failures import Failures, told
from hafta.engine.node import Node
from hafta.engine.words import EXIT, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Act, Kind, PolicyEvent, Verdict
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hafta.engine.failures import Entry

    #: How far a visit of a node has come: its last checkpoint, and what was recorded with its checkpoints.
    Mark = tuple[int, dict[str, Any] | None]


class Phase(Enum):
    """What is going on in a call."""

    IDLE = "has not started"
    NORMAL = "runs the normal function"
    ROLLBACK = "runs the rollback function"
    UNWIND = "runs the rollback function while unwinding"
    UNWOUND = "has been unwound"
    ASK = "is being judged by its policy"
    DONE = "is done"
    FAILED = "has failed"
    PANICKED = "has panicked"


# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _ROLLBACK, _UNWIND, _ASK = Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND, Phase.ASK
_NORMAL_SUCCESS, _ROLLBACK_SUCCESS = Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS
_NORMAL_FAIL, _ROLLBACK_FAIL = Kind.NORMAL_FAIL, Kind.ROLLBACK_FAIL

_ACTS = frozenset(Act)
_LEGAL = {
    Kind.NORMAL_SUCCESS: _ACTS,
    Kind.NORMAL_FAIL: _ACTS,
    Kind.ROLLBACK_SUCCESS: _ACTS - {Act.ROLL_BACK_CURRENT},
    Kind.ROLLBACK_FAIL: _ACTS,
    Kind.INTERRUPTED: _ACTS,
}
_ACCEPTING = frozenset({Act.PROCEED, Act.EXIT})
#: The mark of a node that has set no checkpoint.
FRESH: Mark = (0, None)


class Machine(Failures):
    """One call of a sequence. `targets` maps everything that may name a node (itself, its name, its number) to it."""

    __slots__ = (
        "_clean", "_targets", "attempt", "delay", "kind", "mark", "node", "phase", "reason", "since", "stack",
        "then", "to",
    )  # fmt: skip

    def __init__(self, targets: Mapping[Any, Node | Verdict]) -> None:
        super().__init__()
        self._targets = targets
        self.then: Verdict = EXIT  # in UNWIND: what follows
        self._clean = False  # whether there is nothing to undo in the current node, though it was interrupted
        self.phase = Phase.IDLE
        self.node: Node = None  # type: ignore[assignment]  # there is one in every phase but IDLE
        self.stack: dict[Node, Mark] = {}  # visited nodes, the newest last
        self.attempt = 0  # consecutive failures of the current node
        self.mark: Mark = FRESH
        self.kind = Kind.NORMAL_SUCCESS  # in ASK: what the policy is asked about
        self.to: Node | Verdict = EXIT  # ... the node named, on success
        self.reason: Any = None  # ... the reason, on failure and while rolling back
        self.delay = 0.0  # seconds that the verdict wants waited before the next function; the driver resets it
        self.since: float | None = None  # when control came to this node; the driver's, like every time here

    def start(self, at: object) -> None:
        """Begin with this node. Raises IllegalMove for an unknown node, and the second time."""
        target = self._target(at)
        if isinstance(target, Verdict):
            raise IllegalMove(f"cannot start at {at!r}, which is no node", "name one of the sequence's nodes")
        if self.phase is not Phase.IDLE:
            raise IllegalMove(f"cannot start at {at}: the sequence {self.phase.value}", "make another call")
        self._enter(target)

    def restore(self, node: Node, attempt: int, checkpoint: int, state: dict[str, Any] | None) -> None:
        """Take over what a process that died had recorded of its current node (see place.py)."""
        self.node, self.attempt, self.mark = node, attempt, (checkpoint, state)
        self._row = -1  # the count came with it: it ends as if its failures had been here

    def share(self, other: Machine) -> None:
        """Keep and count failures together with another machine of the same call, which takes `failed` back itself."""
        self.failed, self._failures = other.failed, other._failures

    def interrupt(self, reason: object, at: float, *, clean: bool = False) -> None:
        """Ask the policy about the death of a process; `clean` if it left nothing to undo in the current node."""
        self.kind = Kind.INTERRUPTED
        self._clean = clean
        self.failing = self._record(self.kind, reason, at)
        self.reason = reason
        self.phase = _ASK

    def unwind_again(self, then: Verdict, *, given_up: bool) -> None:
        """Go on with an unwinding that a death interrupted: run the rollback function again, or leave it as failed."""
        self.then = self._checked(then)
        self._clean = False
        self.phase = Phase.UNWOUND if given_up else _UNWIND

    def roll_back_again(self) -> None:
        """Run the rollback function, as was settled before the death of a process."""
        self.decide(ROLL_BACK_CURRENT)

    def walk(self, run: object) -> Any:
        """Run the normal functions of plain nodes as long as each names another: the fast path of success.

        A plain node is judged by the default policy alone, so that nothing is to be asked in between. Returns what the
        first other function answered, which the driver ends as any; what escapes a function, it fails as any.
        """
        targets, stack, node = self._targets, self.stack, self.node
        while True:
            to = node.normal_function(run)
            if to.__class__ is not Node or not to.plain or to.home is not targets or self.phase is not _NORMAL:
                return to
            if to is not node:
                stack[node] = self.mark
                if to in stack:
                    del stack[to]
                self.node = to
                self.since = None
            if self._row != self.failed:
                self.attempt = 0
                self._row = self.failed
            self.mark = FRESH
            node = to

    def retreat(self, reason: object, at: float, run: object = None) -> Any:
        """Do what fail(reason, at) and decide_by_default() do, for a node without a policy function: the fast path.

        Where that leads to ROLLBACK and a run is given, it runs the rollback function of this plain node, too, and goes
        on with the node if that names it. If the phase is neither NORMAL then nor UNWIND, the driver ends its answer.
        """
        attempt = self.attempt + 1
        if attempt >= LIMIT or self.phase is not _NORMAL:
            if self.phase is _UNWIND:  # half of it must not be done
                raise self._out_of_turn(f"a verdict on failure {reason!r}")
            self.fail(reason, at)
            self.decide_by_default()
            return None
        self.attempt = attempt
        self.failed = failed = self.failed + 1
        node, checkpoint = self.node, self.mark[0]
        self.failing = entry = (failed, node, _NORMAL_FAIL, attempt, checkpoint, reason, at)
        self._failures.append(entry)
        self.kind = _NORMAL_FAIL
        self.reason = reason
        self.phase = _ROLLBACK
        if run is None:
            return None
        function = node.rollback_function
        to = node if function is None else function(run, checkpoint)
        if to is node and self.phase is _ROLLBACK:
            self.mark = FRESH
            self.phase = _NORMAL
        return to

    def succeed(self, to: object) -> None:
        """End the running function with success, naming the next node or EXIT."""
        try:
            target = self._targets[to]
        except (KeyError, TypeError):
            target = self._target(to)
        if target is not to:
            target = self._target(to)
        phase = self.phase
        if phase is _NORMAL:
            self.kind = _NORMAL_SUCCESS
        elif phase is _ROLLBACK:
            self.kind = _ROLLBACK_SUCCESS
        elif phase is _UNWIND:
            self.kind = _ROLLBACK_SUCCESS
            self.phase = Phase.UNWOUND
            return
        else:
            raise self._out_of_turn(f"success naming {to}")
        self.to = target
        self.phase = _ASK

    def fail(self, reason: object, at: float = 0.0) -> None:
        """End the running function with failure, for this reason, at this time."""
        phase = self.phase
        if phase is _NORMAL:
            self.attempt += 1
            self.kind = _NORMAL_FAIL
        elif phase is _ROLLBACK or phase is _UNWIND:
            self.kind = _ROLLBACK_FAIL
        else:
            raise self._out_of_turn(f"failure {reason!r}")
        entry = self._record(self.kind, reason, at)
        if phase is _UNWIND:
            self.phase = Phase.UNWOUND
        else:
            self.failing = entry
            self.reason = reason
            self.phase = _ASK

    def decide(self, verdict: object, at: float = 0.0) -> None:
        """Carry out what the policy answered, at this time."""
        checked = self._checked(verdict)
        self.delay = checked.delay
        act = checked.act
        if self.kind is _NORMAL_SUCCESS and act not in _ACCEPTING:
            self._refuse(at)
        if act is Act.ROLL_BACK_CURRENT:
            self._clean = False
            self.phase = _ROLLBACK
        elif act is Act.PANIC:
            self.phase = Phase.PANICKED
        elif self.kind is _NORMAL_SUCCESS and act in _ACCEPTING:
            self._accept(checked)
        elif self.kind is _ROLLBACK_SUCCESS or self.kind is _ROLLBACK_FAIL or self._clean:
            self._clean = False
            self._carry_out(checked)
        else:
            self._unwind(checked)

    def decide_by_default(self) -> None:
        """Decide as default_policy does, without making an event of it."""
        if self.phase is not _ASK:
            raise self._out_of_turn("a verdict")
        kind = self.kind
        if kind is _NORMAL_SUCCESS:
            self.stack[self.node] = self.mark
        elif kind is not _ROLLBACK_SUCCESS:
            if default_verdict(kind, self.attempt) is ROLL_BACK_CURRENT:
                self._clean = False
                self.phase = _ROLLBACK
            else:
                self.decide(ROLL_BACK_PREVIOUS)
            return
        if self.to is EXIT:
            self.phase = Phase.DONE
        else:
            self._enter(self.to)  # type: ignore[arg-type]  # EXIT is the only verdict among the targets

    def go_on(self) -> None:
        """Carry out what was settled before the unwinding."""
        if self.phase is not Phase.UNWOUND:
            raise self._out_of_turn("going on")
        self._carry_out(self.then)

    def event(self, at: float = 0.0) -> PolicyEvent:
        """Return what the policy is asked about, at this time. Raises IllegalMove outside of ASK."""
        if self.phase is not _ASK:
            raise self._out_of_turn("a question to its policy")
        succeeded = self.kind is _NORMAL_SUCCESS or self.kind is _ROLLBACK_SUCCESS
        kept, row, node = tuple(self._failures), self._row, self.node
        return PolicyEvent(
            self.kind,
            self.node,
            to=self.to if succeeded else None,
            reason=None if self.kind is _NORMAL_SUCCESS else self.reason,
            attempt=self.attempt,
            checkpoint=self.checkpoint,
            state=self.state,
            failures=lambda: told(entry for entry in kept if entry[0] > row and entry[1] is node),
            history=lambda: told(entry for entry in kept if entry[1] is node),
            at=at,
            since=at if self.since is None else self.since,
        )

    @property
    def checkpoint(self) -> int:
        """The last checkpoint of this visit of the current node."""
        return self.mark[0]

    @property
    def state(self) -> dict[str, Any] | None:
        """What the checkpoints of this visit have recorded."""
        return self.mark[1]

    def _enter(self, node: Node) -> None:
        if node is not self.node or self.kind is _NORMAL_SUCCESS:
            self.attempt = 0
            self._row = self.failed
            self.since = None
        self.stack.pop(node, None)
        self.node = node
        self.mark = FRESH
        self.phase = _NORMAL

    def _accept(self, verdict: Verdict) -> None:
        self.stack[self.node] = self.mark
        self._carry_out(verdict)

    def _refuse(self, at: float) -> None:
        """Note that this refusal, and no earlier failure, is why whatever follows is done."""
        self.reason = "its policy refused its success"
        self.failing = self._record(self.kind, self.reason, at)

    def _unwind(self, then: Verdict) -> None:
        self.then = then
        self.phase = _UNWIND

    def _carry_out(self, verdict: Verdict) -> None:
        if verdict.act is Act.PROCEED:
            self._enter(self._targets[verdict.to])  # type: ignore[arg-type]  # checked when it was decided
        elif verdict.act is Act.EXIT:
            self.phase = Phase.DONE
        elif verdict.act is Act.ROLL_BACK_PREVIOUS and self.stack:
            self.attempt = 0
            self._row = self.failed
            self.since = None
            self.node, self.mark = self.stack.popitem()
            self.phase = _ROLLBACK
        else:
            self.phase = Phase.FAILED

    def _record(self, kind: Kind, reason: object, at: float) -> Entry:
        self.failed += 1
        entry = (self.failed, self.node, kind, self.attempt, self.mark[0], reason, at)
        self._failures.append(entry)
        return entry

    def _target(self, to: object) -> Node | Verdict:
        """Find what was named; a bool is never taken for the number of a node."""
        try:
            target = None if isinstance(to, bool) else self._targets.get(to)
        except TypeError:
            target = None
        if target is None:
            known = ", ".join(dict.fromkeys(str(node) for node in self._targets.values() if node is not EXIT))
            where = f"node {self.node}" if self.node is not None else "the call"
            raise IllegalMove(f"{where} named {to!r}, which is no node of the sequence", f"it has EXIT, {known}")
        return target

    def _checked(self, verdict: object) -> Verdict:
        if self.phase is not _ASK:
            raise self._out_of_turn(f"the verdict {verdict!r}")
        if not isinstance(verdict, Verdict):
            hint = "answer proceed(node), EXIT, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, FAIL_SEQUENCE or PANIC"
            raise IllegalMove(f"the policy of node {self.node} answered {verdict!r}, which is no verdict", hint)
        if verdict.act not in _LEGAL[self.kind]:
            hint = "its rollback function has just succeeded: proceed, or roll back to the previous node"
            raise IllegalMove(f"the policy of node {self.node} answered {verdict!r} to {self.kind.value}", hint)
        if verdict.act is Act.PROCEED and self._target(verdict.to) is EXIT:
            return EXIT.after(verdict.delay)
        return verdict

    def _out_of_turn(self, move: str) -> IllegalMove:
        if self.phase is _ASK or self.phase is Phase.UNWOUND:
            return IllegalMove(f"node {self.node} has ended already; then came {move}", "end a function once")
        return IllegalMove(f"{move} is no move while node {self.node} {self.phase.value}")
