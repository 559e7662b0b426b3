"""Every move in every phase: a legal one is made, an illegal one raises, says why, and leaves everything as it was."""

import copy
from collections import deque

import pytest

import hafta
from hafta.engine.machine import Machine, Phase
from hafta.engine.words import (
    EXIT,
    FAIL_SEQUENCE,
    PANIC,
    ROLL_BACK_CURRENT,
    ROLL_BACK_PREVIOUS,
    Act,
    Verdict,
    proceed,
)

sequence = hafta.Sequence("moves")
first = sequence.node(name="first")(lambda run: second)
second = sequence.node(name="second")(lambda run: EXIT)
giver = sequence.node(name="giver")(lambda run: run)
judged = sequence.node(name="judged", policy=hafta.default_policy)(lambda run: EXIT)
foreign = hafta.Sequence("other").node(name="second")(lambda run: EXIT)


def idle():
    return Machine(sequence.targets)


def normal():
    """The second node runs, the first is on the stack."""
    machine = idle()
    machine.start(first)
    machine.mark = (7, {"at": 7})
    machine.succeed(second)
    machine.decide_by_default()
    machine.mark = (3, {"at": 3})
    return machine


def asked_success():
    machine = normal()
    machine.succeed(first)
    return machine


def asked_fail():
    machine = normal()
    machine.fail("trouble", 1.5)
    return machine


def rollback():
    machine = asked_fail()
    machine.decide(ROLL_BACK_CURRENT)
    return machine


def asked_rollback_success():
    machine = rollback()
    machine.succeed(second)
    return machine


def asked_rollback_fail():
    machine = rollback()
    machine.fail("more trouble", 2.5)
    return machine


def unwind():
    machine = asked_fail()
    machine.decide(ROLL_BACK_PREVIOUS)
    return machine


def unwound():
    machine = unwind()
    machine.succeed(second)
    return machine


def done():
    machine = normal()
    machine.succeed(EXIT)
    machine.decide(EXIT)
    return machine


def failed():
    machine = asked_rollback_fail()
    machine.decide(FAIL_SEQUENCE)
    return machine


def panicked():
    machine = asked_fail()
    machine.decide(PANIC)
    return machine


ASKED = (asked_success, asked_fail, asked_rollback_success, asked_rollback_fail)
RUNNING = (normal, rollback, unwind)
ALL = (idle, *RUNNING, *ASKED, unwound, done, failed, panicked)

#: Move: (what it does, where it is legal, what an error calls it).
MOVES = {
    "start": (lambda m: m.start(first), (idle,), None),
    "succeed": (lambda m: m.succeed(first), RUNNING, "success naming first"),
    "succeed with a name": (lambda m: m.succeed("first"), RUNNING, "success naming first"),
    "succeed with EXIT": (lambda m: m.succeed(EXIT), RUNNING, "success naming <exit>"),
    "succeed with 0": (lambda m: m.succeed(0), RUNNING, "success naming 0"),
    "fail": (lambda m: m.fail("why"), RUNNING, "failure 'why'"),
    "event": (lambda m: m.event(), ASKED, "a question to its policy"),
    "decide by default": (lambda m: m.decide_by_default(), ASKED, "a verdict"),
    "go on": (lambda m: m.go_on(), (unwound,), "going on"),
    "exit": (lambda m: m.decide(EXIT), ASKED, "the verdict <exit>"),
    "proceed": (lambda m: m.decide(proceed(first)), ASKED, "the verdict <proceed to first>"),
    "back": (lambda m: m.decide(ROLL_BACK_PREVIOUS), ASKED, "the verdict <roll back previous>"),
    "give up": (lambda m: m.decide(FAIL_SEQUENCE), ASKED, "the verdict <fail sequence>"),
    "panic": (lambda m: m.decide(PANIC), ASKED, "the verdict <panic>"),
    "retreat": (lambda m: m.retreat("why", 4.5), (normal, rollback), "failure 'why'"),
}


def contents(machine):
    """All that a machine is, with copies of what can change in place."""
    slots = {slot: getattr(machine, slot) for kind in type(machine).__mro__ for slot in getattr(kind, "__slots__", ())}
    copies = {slot: copy.deepcopy(value) for slot, value in slots.items() if slot in {"state", "delay"}}
    copies |= {slot: list(value) for slot, value in slots.items() if isinstance(value, deque)}
    return slots | copies | {"stack": list(machine.stack.items())}


def refused(machine, move):
    """Make an illegal move; return what the error says."""
    before = contents(machine)
    with pytest.raises(hafta.IllegalMove) as caught:
        move(machine)
    assert contents(machine) == before
    return caught.value.message


def words(machine, what):
    if machine.phase in {Phase.ASK, Phase.UNWOUND}:
        return f"node second has ended already; then came {what}"
    return f"{what} is no move while node {machine.node} {machine.phase.value}"


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_made_where_it_is_legal_and_else_raises_and_changes_nothing(make, name):
    move, legal, what = MOVES[name]
    machine = make()
    before = contents(machine)
    if make in legal:
        move(machine)
        assert (contents(machine) == before) == (name == "event")
        return
    message = refused(machine, move)
    if name == "start":
        assert message == f"cannot start at first: the sequence {machine.phase.value}"
    elif name == "retreat" and make is unwind:
        assert message == words(machine, f"a verdict on {what}")
    else:
        assert message == words(machine, what)


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_rolling_back_in_place_is_legal_but_after_the_rollback_has_succeeded(make):
    machine = make()
    if make in ASKED and make is not asked_rollback_success:
        machine.decide(ROLL_BACK_CURRENT)
        assert machine.phase is Phase.ROLLBACK
        return
    message = refused(machine, lambda m: m.decide(ROLL_BACK_CURRENT))
    if make is asked_rollback_success:
        assert message == "the policy of node second answered <roll back current> to rollback success"
    else:
        assert message == words(machine, "the verdict <roll back current>")


@pytest.mark.parametrize("make", RUNNING, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "unknown", ["nowhere", 3, True, False, None, [], {}, foreign, ROLL_BACK_CURRENT, EXIT.after(1), proceed("first")]
)
def test_naming_what_is_no_node_raises_and_changes_nothing(make, unknown):
    message = refused(make(), lambda m: m.succeed(unknown))
    assert message == f"node second named {unknown!r}, which is no node of the sequence"


def test_an_unknown_node_is_answered_with_those_that_there_are():
    with pytest.raises(hafta.IllegalMove) as caught:
        normal().succeed("nowhere")
    assert caught.value.hint == "it has EXIT, first, second, giver, judged"


@pytest.mark.parametrize("answer", [foreign, EXIT, None, "first"])
def test_what_does_not_name_a_node_of_the_sequence_by_itself_is_left_to_the_driver(answer):
    machine = Machine(sequence.targets)
    machine.start(giver)
    before = contents(machine)
    assert machine.walk(answer) is answer
    assert contents(machine) == before


def test_a_plain_node_is_not_walked_on_to_one_that_has_a_policy():
    machine = Machine(sequence.targets)
    machine.start(giver)
    assert (machine.walk(judged), machine.node) == (judged, giver)


@pytest.mark.parametrize("make", ASKED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("unknown", ["nowhere", True, None, [], foreign])
def test_proceeding_to_what_is_no_node_raises_and_changes_nothing(make, unknown):
    message = refused(make(), lambda m: m.decide(Verdict(Act.PROCEED, unknown)))
    assert message == f"node second named {unknown!r}, which is no node of the sequence"


@pytest.mark.parametrize("make", ASKED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("answer", [None, True, 0, "exit", first, Act.EXIT])
def test_an_answer_that_is_no_verdict_raises_and_changes_nothing(make, answer):
    message = refused(make(), lambda m: m.decide(answer))
    assert message == f"the policy of node second answered {answer!r}, which is no verdict"


@pytest.mark.parametrize("at", ["nowhere", None, True, [], foreign])
def test_starting_at_what_is_no_node_raises_and_changes_nothing(at):
    assert refused(idle(), lambda m: m.start(at)) == f"the call named {at!r}, which is no node of the sequence"


@pytest.mark.parametrize("at", [EXIT, 0])
def test_starting_at_the_exit_raises_and_changes_nothing(at):
    assert refused(idle(), lambda m: m.start(at)) == f"cannot start at {at!r}, which is no node"


def test_a_verdict_without_a_delay_ends_the_delay_of_the_one_before():
    machine = asked_fail()
    machine.decide(ROLL_BACK_CURRENT.after(2))
    assert machine.delay == 2
    machine.succeed(second)
    machine.decide(proceed(second))
    assert machine.delay == 0


def test_proceeding_to_the_exit_by_its_number_keeps_the_delay():
    machine = asked_success()
    machine.decide(proceed(0).after(2))
    assert (machine.phase, machine.delay) == (Phase.DONE, 2)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_delay_is_a_time_that_ends(seconds):
    with pytest.raises(ValueError, match=rf"^a delay is 0 or more seconds, not {seconds!r}$"):
        EXIT.after(seconds)


def test_verdicts_read_well_and_are_equal_by_what_they_say():
    assert repr(proceed(first).after(1.5)) == "<proceed to first after 1.5 s>"
    assert proceed("first") == proceed("first") != proceed("second")
    assert len({EXIT, EXIT.after(0), EXIT.after(1)}) == 2
    assert EXIT != "exit"
