"""Any moves at all, in any order: the machine keeps its invariant, and its fast path does what the single moves do."""

from engine_effort import MOVES
from hypothesis import given
from hypothesis import strategies as st
from test_engine_moves import contents

import hafta
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import EXIT, FAIL_SEQUENCE, PANIC, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, proceed

sequence = hafta.Sequence("random")
NODES = [sequence.node(name=name)(next) for name in "abcd"]  # each answers what its `run` gives next
for node in NODES:
    node.rollback(lambda run, _checkpoint: next(run))

targets = st.sampled_from([*NODES, *"abcd", EXIT, "nowhere", True])
verdicts = st.sampled_from([ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, FAIL_SEQUENCE, PANIC, EXIT, None]) | st.builds(
    proceed, targets
)
moves = st.one_of(
    st.tuples(st.just("succeed"), targets),
    st.tuples(st.just("fail"), st.integers(0, 9)),
    st.tuples(st.just("decide"), verdicts),
    st.tuples(st.just("decide_by_default")),
    st.tuples(st.just("go_on")),
    st.tuples(st.just("walk"), st.sampled_from(NODES)),
    st.tuples(st.just("set"), st.integers(0, 9)),
)


def make(machine, move):
    """Make a move; True if it was legal. One that was not must have changed nothing."""
    name, *args = move
    if name == "set":
        machine.mark = (args[0], machine.state)
        return True
    before = contents(machine)
    try:
        FAST.get(name, getattr(Machine, name))(machine, *args)
    except hafta.IllegalMove:
        assert contents(machine) == before
        return False
    return True


def walk(machine, to):
    """Walk one step, where the driver would."""
    if machine.phase is not Phase.NORMAL:
        raise hafta.IllegalMove("not now")
    assert machine.walk(iter([to, None])) is None


FAST = {"walk": walk}


def begin():
    machine = Machine(sequence.targets)
    machine.start("a")
    return machine


@MOVES
@given(st.lists(moves, max_size=60))
def test_the_invariant_holds_after_any_moves_legal_or_not(script):
    machine = begin()
    undone = True  # whether the newest failed attempt of the current node has been rolled back
    for move in script:
        phase, node = machine.phase, machine.node
        legal = make(machine, move)
        assert machine.phase is Phase.DONE or machine.node not in machine.stack
        assert len(machine.stack) <= len(NODES)
        if phase is Phase.NORMAL and legal and move[0] == "fail":
            undone = False
        if machine.phase in {Phase.ROLLBACK, Phase.UNWIND} and machine.node is node:
            undone = True
        if machine.phase is Phase.NORMAL and phase is not Phase.NORMAL:
            assert undone
    assert machine.failed >= len(machine.history)


@MOVES
@given(st.lists(moves, max_size=60))
def test_the_fast_path_does_what_the_single_moves_do(script):
    fast, slow = begin(), begin()
    for move in script:
        if fast.phase is Phase.UNWIND and move[0] in FAST:
            continue
        legal = make(fast, move)
        if move[0] not in FAST:
            assert make(slow, move) == legal
        elif legal:
            step_by_step(slow, *move)
        assert seen(fast) == seen(slow)


def step_by_step(machine, name, *args):
    """Do with single moves what the fast path does."""
    assert name == "walk"
    machine.succeed(*args)
    machine.decide_by_default()


def seen(machine):
    """What anybody can see of a machine now. In ASK that includes what the policy is asked."""
    asked = {"kind"} if machine.phase is Phase.ASK else set()
    if asked and machine.kind in {hafta.NORMAL_SUCCESS, hafta.ROLLBACK_SUCCESS}:
        asked = {"kind", "to"}
    names = {"phase", "node", "stack", "attempt", "checkpoint", "state", "reason", "failed", "history", "since"} | asked
    return {name: getattr(machine, name) for name in names} | {"row": machine._row >= machine.failed}
