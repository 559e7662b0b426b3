"""Where the next process begins, of where one has died: rules 12 to 22 (hafta/engine/resume.py, rerun.py) as tables."""

import pytest

from hafta.engine.default import LIMIT
from hafta.engine.machine import Machine, Phase
from hafta.engine.node import Node
from hafta.engine.resume import NEXT, RUNS, UNDOES, UNDOES_NEXT, Doing, Place, count, orphan, resume
from hafta.engine.words import EXIT, FAIL_SEQUENCE, ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Kind, proceed
from hafta.errors import IllegalMove

A, B = Node("a", None), Node("b", None)  # process-local
D, C = Node("d", None, durable=True), Node("c", None, durable=True)
TARGETS = {EXIT: EXIT, **{name: node for node in (A, B, C, D) for name in (node, node.name)}}
UNWINDS = Doing(Phase.UNWIND, begun=True, then=FAIL_SEQUENCE, deaths=1)


def resumed(doing, *visited, attempt=1, nested=False):
    """A machine that goes on in node c after a death; and what is recorded until its first move."""
    machine, stack = Machine(TARGETS), tuple((node, at, {"of": node.name}) for at, node in enumerate(visited, 1))
    return machine, resume(machine, Place(C, doing, attempt, 7, {"x": 1}, stack), "died", at=3.0, nested=nested)


@pytest.mark.parametrize(
    ("doing", "nested", "counted", "after"),
    [
        (RUNS, False, 1, RUNS),
        (NEXT, False, 0, NEXT),
        (UNDOES, False, 1, UNDOES),
        (UNDOES_NEXT, False, 0, UNDOES_NEXT),
        (UNWINDS, False, 0, UNWINDS.replace(deaths=2)),
        (RUNS.replace(stopped=True), False, 0, RUNS.replace(stopped=True)),
        (UNWINDS.replace(stopped=True), True, 0, UNWINDS.replace(stopped=True)),
        (NEXT.replace(reruns=2), False, 1, NEXT.replace(reruns=3)),
        (RUNS, True, 0, RUNS.replace(entries=0)),
        (RUNS.replace(entries=0), True, 1, RUNS.replace(entries=1)),
        (UNWINDS.replace(entries=2), True, 0, UNWINDS.replace(entries=3, deaths=2)),
    ],
)
def test_a_death_counts_where_it_was(doing, nested, counted, after):
    place = Place(C, doing, attempt=3)
    assert count(place, nested=nested) == place.replace(attempt=3 + counted, doing=after)


@pytest.mark.parametrize(
    ("doing", "nested", "phase"),
    [
        (RUNS, False, Phase.ASK),
        (NEXT, False, Phase.NORMAL),
        (UNDOES, False, Phase.ASK),
        (UNDOES_NEXT, False, Phase.ROLLBACK),
        (UNWINDS, False, Phase.UNWIND),
        (UNWINDS.replace(deaths=LIMIT - 1), False, Phase.UNWIND),
        (UNWINDS.replace(deaths=LIMIT), False, Phase.UNWOUND),
        (RUNS.replace(entries=0), True, Phase.NORMAL),
        (RUNS.replace(entries=LIMIT - 1), True, Phase.NORMAL),
        (RUNS.replace(entries=LIMIT), True, Phase.ASK),
        (UNDOES.replace(entries=0), True, Phase.ROLLBACK),
        (UNWINDS.replace(entries=0), True, Phase.UNWIND),
    ],
)
def test_the_next_process_begins_where_the_rules_say(doing, nested, phase):
    machine, going_on = resumed(doing, D, nested=nested)
    waits = nested and phase is not Phase.ASK
    assert going_on == doing.replace(entries=doing.entries if waits else None)
    assert (machine.phase, machine.node, machine.attempt, machine.mark) == (phase, C, 1, (7, {"x": 1}))
    assert machine.stack == {D: (1, {"of": "d"})}
    asked = phase is not Phase.NORMAL
    assert [failure.kind for failure in machine.history] == [Kind.INTERRUPTED] * asked
    assert machine.reason == ("died" if asked else None)


def test_a_count_that_comes_with_a_record_ends_with_a_success_as_any():
    machine, _ = resumed(NEXT, attempt=3)
    machine.succeed(D)
    machine.decide_by_default()
    assert (machine.node, machine.attempt) == (D, 0)


def test_what_followed_an_unwinding_still_does():
    for deaths in (1, LIMIT):
        machine, _ = resumed(UNWINDS.replace(deaths=deaths), D)
        if deaths == 1:
            machine.succeed(EXIT)
        machine.go_on()
        assert (machine.phase, machine.node) == (Phase.FAILED, C)


@pytest.mark.parametrize(
    ("doing", "first"),
    [(RUNS, Phase.UNWIND), (UNDOES, Phase.UNWIND), (UNDOES_NEXT, Phase.UNWIND), (NEXT, Phase.NORMAL)],
)
def test_a_node_whose_reruns_kill_is_given_up_and_rolled_back_if_that_is_owed(doing, first):
    machine, _ = resumed(doing.replace(reruns=LIMIT), B, D)
    assert machine.phase is first
    if first is Phase.UNWIND:
        machine.succeed(C)
        machine.go_on()
    assert (machine.node, machine.phase, machine.rerun.node, machine.rerun.phase) == (
        B,
        Phase.NORMAL,
        D,
        Phase.ROLLBACK,
    )
    assert resumed(doing.replace(reruns=LIMIT - 1), D)[0].node is C


def test_local_nodes_run_again_in_their_order_then_what_was_put_off_goes_on_as_it_was():
    machine, going_on = resumed(RUNS, A, D, B, attempt=2)
    assert going_on == RUNS
    for node in (A, B):
        assert (machine.node, machine.phase, machine.attempt, machine.mark) == (node, Phase.NORMAL, 0, (0, None))
        assert machine.stack == {}
        machine.mark = (9, {"again": node.name})
        machine.succeed(EXIT)  # what it names is not followed
        machine.decide_by_default()
        assert machine.delay == 0
    assert (machine.node, machine.phase, machine.kind) == (C, Phase.ASK, Kind.INTERRUPTED)
    assert (machine.attempt, machine.mark, machine.rerun) == (2, (7, {"x": 1}), None)
    assert list(machine.stack.items()) == [(A, (9, {"again": "a"})), (D, (2, {"of": "d"})), (B, (9, {"again": "b"}))]


@pytest.mark.parametrize(
    ("verdict", "node", "phase"),
    [
        (ROLL_BACK_CURRENT, B, Phase.ROLLBACK),
        (proceed("a"), A, Phase.NORMAL),  # it has been run again already
        (proceed("b"), B, Phase.NORMAL),
        (proceed("c"), B, Phase.FAILED),
        (ROLL_BACK_PREVIOUS, B, Phase.FAILED),
        (FAIL_SEQUENCE, B, Phase.FAILED),
        (EXIT, B, Phase.FAILED),
    ],
)
def test_a_local_node_that_fails_again_leads_back_or_the_call_fails(verdict, node, phase):
    machine, _ = resumed(NEXT, A, B)
    machine.succeed(B)
    machine.decide_by_default()
    machine.fail("broken")
    machine.decide(verdict)
    if machine.phase is Phase.UNWIND:
        machine.succeed(B)
        machine.go_on()
    assert (machine.node, machine.phase) == (node, phase)


@pytest.mark.parametrize(
    ("verdict", "node", "phase"),
    [(proceed("b"), A, Phase.NORMAL), (EXIT, C, Phase.DONE), (FAIL_SEQUENCE, C, Phase.FAILED)],
)
def test_the_answer_to_an_orphan_is_followed_when_local_nodes_have_run_again(verdict, node, phase):
    machine = Machine(TARGETS)
    orphan(machine, Place(C, RUNS, 1, 7, None, ((A, 1, None),)), "another version")
    assert (machine.phase, machine.kind, machine.reason) == (Phase.ASK, Kind.ORPHANED, "another version")
    machine.decide(verdict)
    assert (machine.node, machine.phase) == (node, phase)
    if machine.rerun is not None:
        assert (machine.rerun.node, machine.rerun.phase) == (B, Phase.NORMAL)


def test_a_call_that_has_begun_resumes_nothing():
    machine, _ = resumed(NEXT)
    with pytest.raises(IllegalMove, match="cannot resume at c in a call that has started"):
        resume(machine, Place(C, NEXT), "died")
