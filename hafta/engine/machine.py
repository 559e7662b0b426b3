"""The machine: where one call of a sequence stands, and what comes next.

Theory of operation
===================

 1. A call has a current node, a stack of visited nodes, a count of the current node's consecutive failures, and a
    phase: NORMAL or ROLLBACK (that function of the current node runs), ASK (its policy is asked), UNWIND (its rollback
    function runs, and what follows is settled already), UNWOUND (it has run), or an end: DONE, FAILED, PANICKED.
 2. A function ends once: with success, naming a node or EXIT, or with failure, giving a reason. That leads to ASK, and
    from UNWIND to UNWOUND, which go_on() leaves. Ending a second time is an illegal move.
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
10. FAIL_SEQUENCE leaves the visited nodes as they are. To have them undone, answer ROLL_BACK_PREVIOUS.
11. An illegal move raises IllegalMove and leaves everything as it was: a function that ends twice, a node that is not
    one of the sequence, something that is not a verdict or not one for this event, a move after the end.

The moves, as a table of phase and event ("-" is an illegal move; tests/unit/engine/test_engine_moves.py tries each):

    phase       success     failure     verdict                                              go on
    NORMAL      ASK         ASK         -                                                    -
    ROLLBACK    ASK         ASK         -                                                    -
    UNWIND      UNWOUND     UNWOUND     -                                                    -
    ASK         -           -           rule 3: accepted; rules 4 and 5: ROLLBACK, UNWIND    -
                                        or where the verdict leads; PANICKED
    UNWOUND     -           -           -                                                    where the verdict leads
    others      -           -           -                                                    -

    Where a verdict leads: proceed: NORMAL; exit: DONE; previous: ROLLBACK, or FAILED with an empty stack; fail: FAILED.

Resuming where a process died is in resume.py (rules 12 to 18), rerunning local nodes in rerun.py (19 to 22).

Invariant: after any moves, legal or not, each node stands on the stack at most once, the current one (until DONE) not
at all, and every attempt that failed has had its rollback function run exactly once before another attempt of that node
begins.

Nobody outside of engine/ writes to a machine, but for `mark`, which run.checkpoint() sets (a lint holds that). If you
change a rule, change the naive model in tests/unit/engine and docs/sequences.md, too.
"""

from __future__ import annotations

from enum import Enum

from hafta.engine import verdicts
from hafta.engine.default import default_verdict
from hafta.engine.failures import Failures, listed
from hafta.engine.words import EXIT, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Act, Kind, PolicyEvent, Verdict
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from hafta.engine.failures import Entry
    from hafta.engine.node import Node

    #: How far a visit of a node has come: its last checkpoint, and what was recorded with its checkpoints.
    Mark = tuple[int, dict[str, Any] | None]

    class Rerun(Protocol):
        """What is put off while local nodes run again (rerun.py)."""

        phase: Phase
        node: Node
        attempt: int
        mark: Mark
        stack: dict[Node, Mark]
        deaths: int

        def leave(self, machine: Machine, to: Node | Verdict) -> None:
            """Go on where control leaves the local node that runs."""


class Phase(Enum):
    """What is going on in a call."""

    __hash__ = object.__hash__  # as in words.py

    IDLE = "before the call has started"
    NORMAL = "while the normal function of node {} runs"
    ROLLBACK = "while the rollback function of node {} runs"
    UNWIND = "while the rollback function of node {} runs to unwind it"
    UNWOUND = "when node {} has been unwound"
    ASK = "while the policy of node {} is asked"
    DONE = "after the call has succeeded"
    FAILED = "after the call has failed"
    PANICKED = "after the call has panicked"


# As module names these cost a third of what they cost as attributes of their class.
_NORMAL, _ROLLBACK, _UNWIND, _ASK = Phase.NORMAL, Phase.ROLLBACK, Phase.UNWIND, Phase.ASK
_NORMAL_SUCCESS, _ROLLBACK_SUCCESS = Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS
_NORMAL_FAIL, _ROLLBACK_FAIL, _ORPHANED = Kind.NORMAL_FAIL, Kind.ROLLBACK_FAIL, Kind.ORPHANED

OVER = frozenset({Phase.DONE, Phase.FAILED, Phase.PANICKED})
_ACCEPTING = frozenset({Act.PROCEED, Act.EXIT})
#: The mark of a node that has set no checkpoint.
FRESH: Mark = (0, None)


class Machine(Failures):
    """One call of a sequence. `targets` maps everything that may name a node (itself, its name, its number) to it."""

    __slots__ = (
        "_targets", "attempt", "clean", "deaths", "delay", "kind", "mark", "node", "owed", "phase", "reason",
        "rerun", "since", "stack", "then", "to",
    )  # fmt: skip

    def __init__(self, targets: Mapping[Any, Node | Verdict]) -> None:
        super().__init__()
        self._targets = targets
        self.phase = Phase.IDLE
        self.node: Node = None  # type: ignore[assignment]  # there is one in every phase but IDLE
        self.stack: dict[Node, Mark] = {}  # visited nodes, the newest last
        self.attempt = 0  # consecutive failures of the current node
        self.mark: Mark = FRESH
        self.since: float | None = None  # when control came to this node, on the driver's clock
        self.kind = Kind.NORMAL_SUCCESS  # in ASK: what the policy is asked about
        self.to: Node | Verdict = EXIT  # ... the node named, on success
        self.reason: Any = None  # ... the reason, on failure and while rolling back
        self.delay = 0.0  # seconds that the verdict wants waited before the next function
        self.then: Verdict = EXIT  # in UNWIND: what follows
        self.deaths = 0  # in UNWIND: processes that died in it
        self.clean = False  # whether there is nothing to undo in the current node, though it was interrupted
        self.rerun: Rerun | None = None  # while local nodes run again: what is put off until they have
        self.owed: Callable[[Machine, int], None] | None = None  # what begins that once an unwinding is over

    def start(self, at: object) -> None:
        """Begin with this node. Raises IllegalMove for an unknown node, and the second time."""
        target = self._target(at)
        if isinstance(target, Verdict):
            raise IllegalMove(f"cannot start at {at!r}, which is not a node", "name one of the sequence's nodes")
        if self.phase is not Phase.IDLE:
            raise IllegalMove(f"cannot start at {at} {self._when()}", "make another call")
        self._go_to(target)

    def arrive(self, at: float) -> None:
        """Note when control came to the current node: its policy may ask for how long it has been tried."""
        if self.since is None:
            self.since = at

    def walk(self, run: object) -> Any:
        """Run the normal functions of plain nodes as long as each names another: the fast path of success.

        Only the default policy judges a plain node, so there is nothing to ask in between. Returns what the last
        function answered, where that is anything else: the driver deals with it, and with what escapes a function.
        """
        targets, stack, node = self._targets, self.stack, self.node
        kind, failed = node.__class__, self.failed  # both the same as long as this goes on
        normal, fresh = _NORMAL, FRESH  # as local names, and the function too, these save a tenth of each step
        while True:
            function = node.normal_function
            to = function(run)
            if to.__class__ is not kind or not to.plain or to.home is not targets or self.phase is not normal:
                return to
            if self._row != failed:
                self.attempt = 0
                self._row = failed
            if to is not node:
                stack[node] = self.mark
                if to in stack:
                    del stack[to]
                self.node = node = to
                self.since = None
            self.mark = fresh

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
            raise self._out_of_turn(f"returned {to}", f"run.success({to})")
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
            raise self._out_of_turn(f"failed with {reason!r}", f"run.fail({reason!r})")
        entry = self.note(self.kind, reason, at)
        if phase is _UNWIND:
            # What it failed with is in the history; what is unwound is still that for which the verdict was given.
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
        elif self.kind is _ORPHANED and act is not Act.PROCEED:
            self.failing = self.note(self.kind, self.reason, at)
        if act is Act.ROLL_BACK_CURRENT:
            self.clean = False
            self.phase = _ROLLBACK
        elif act is Act.PANIC:
            self.phase = Phase.PANICKED
        elif self.kind is _NORMAL_SUCCESS and act in _ACCEPTING:
            self.stack[self.node] = self.mark
            self._carry_out(checked)
        elif self.kind is _ROLLBACK_SUCCESS or self.kind is _ROLLBACK_FAIL or self.clean:
            # Its rollback function has just run (rule 5), or it had not begun when the process died (rule 15).
            self.clean = False
            self._carry_out(checked)
            self._rerun_what_is_owed()
        else:
            self.then = checked
            self.phase = _UNWIND

    def decide_by_default(self) -> None:
        """Decide as default_policy does, without making an event of it."""
        if self.phase is not _ASK:
            raise self._out_of_turn("was decided", "a verdict")
        kind = self.kind
        if kind is _NORMAL_SUCCESS:
            self.stack[self.node] = self.mark
            self._go_to(self.to)
        elif kind is _ROLLBACK_SUCCESS:
            self._go_to(self.to)
        elif default_verdict(kind, self.attempt) is ROLL_BACK_CURRENT:
            self.clean = False
            self.phase = _ROLLBACK
        else:
            self.decide(ROLL_BACK_PREVIOUS)

    def go_on(self) -> None:
        """Carry out what was settled before the unwinding."""
        if self.phase is not Phase.UNWOUND:
            raise self._out_of_turn("went on", "going on")
        self.deaths = 0
        self._carry_out(self.then)
        self._rerun_what_is_owed()

    def take_delay(self) -> float:
        """Return the seconds that the verdict wants waited, once."""
        delay, self.delay = self.delay, 0.0
        return delay

    def event(self, at: float = 0.0) -> PolicyEvent:
        """Return what the policy is asked about, at this time. Raises IllegalMove outside of ASK."""
        if self.phase is not _ASK:
            raise self._out_of_turn("was asked", "a question to the policy")
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
            failures=lambda: listed(entry for entry in kept if entry[0] > row and entry[1] is node),
            history=lambda: listed(entry for entry in kept if entry[1] is node),
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

    @property
    def has_failed_to_rerun(self) -> bool:
        """Whether the call has failed because a local node could not be run again: what was put off is still to do."""
        return self.rerun is not None and self.phase is Phase.FAILED

    def note(self, kind: Kind, reason: object, at: float) -> Entry:
        """Add a failure to the history."""
        self.failed += 1
        entry = (self.failed, self.node, kind, self.attempt, self.mark[0], reason, at)
        self._failures.append(entry)
        return entry

    def _rerun_what_is_owed(self) -> None:
        owed, self.owed = self.owed, None
        if owed is not None:
            owed(self, 0)

    def _refuse(self, at: float) -> None:
        """Note that this refusal, and no earlier failure, is why what follows is done."""
        self.reason = "its policy refused its success"
        self.failing = self.note(self.kind, self.reason, at)

    def _carry_out(self, verdict: Verdict) -> None:
        if verdict.act is Act.PROCEED:
            self._go_to(self._targets[verdict.to])
        elif verdict.act is Act.EXIT:
            self._go_to(EXIT)
        elif verdict.act is Act.ROLL_BACK_PREVIOUS and self.stack:
            self.attempt = 0
            self._row = self.failed
            self.since = None
            self.node, self.mark = self.stack.popitem()
            self.phase = _ROLLBACK
        else:
            self.phase = Phase.FAILED

    def _go_to(self, target: Node | Verdict) -> None:
        if self.rerun is not None and target is not self.node:
            self.rerun.leave(self, target)  # a local node that runs again leads nowhere (rule 20)
        elif isinstance(target, Verdict):
            self.phase = Phase.DONE
        else:
            if target is not self.node or self.kind is _NORMAL_SUCCESS or self.kind is _ORPHANED:
                # Control has left the node, or its success was accepted: the row of its failures ends (rule 9).
                self.attempt = 0
                self._row = self.failed
                self.since = None
            self.stack.pop(target, None)
            self.node = target
            self.mark = FRESH
            self.phase = _NORMAL

    def _target(self, to: object) -> Node | Verdict:
        """Find what was named; a bool or a float is never taken for the number of a node."""
        try:
            target = None if isinstance(to, (bool, float)) else self._targets.get(to)
        except TypeError:
            target = None
        if target is None:
            known = ", ".join(dict.fromkeys(str(node) for node in self._targets.values() if node is not EXIT))
            named = f"node {self.node} returned" if self.node is not None else "the call starts at"
            raise IllegalMove(f"{named} {to!r}, which is not a node of this sequence", f"it has EXIT, {known}")
        return target

    def _checked(self, verdict: object) -> Verdict:
        if self.phase is not _ASK:
            raise self._out_of_turn(f"was decided with {verdict!r}", f"the verdict {verdict!r}")
        checked = verdicts.checked(verdict, self.kind, self.node)
        if checked.act is Act.PROCEED and self._target(checked.to) is EXIT:
            return EXIT.after(checked.delay)
        return checked

    def _out_of_turn(self, late: str, move: str) -> IllegalMove:
        if self.phase is _ASK or self.phase is Phase.UNWOUND:
            hint = "return, or call run.success() or run.fail(), once"
            return IllegalMove(f"node {self.node} already ended, and then also {late}", hint)
        return IllegalMove(
            f"{move} is not allowed {self._when()}", "use a run only in the functions to which it was given"
        )

    def _when(self) -> str:
        return self.phase.value.format(self.node)
