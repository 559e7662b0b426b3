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
sequence.targets[0] = EXIT  # as in a node list
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

ENDS = {normal: "ASK", rollback: "ASK", unwind: "UNWOUND"}
ACCEPTED = {asked_success: "NORMAL", asked_fail: "UNWIND"}
GOES_ON = {**ACCEPTED, asked_rollback_success: "NORMAL", asked_rollback_fail: "NORMAL"}

#: The table of docs/architecture.md, section 3: move: (what it does, where it is legal and what phase it leads to, what
#: the error says of a function that has ended, and elsewhere).
MOVES = {
    "start": (lambda m: m.start(first), {idle: "NORMAL"}, None, None),
    "succeed": (lambda m: m.succeed(first), ENDS, "returned first", "run.success(first)"),
    "succeed with a name": (lambda m: m.succeed("first"), ENDS, "returned first", "run.success(first)"),
    "succeed with EXIT": (lambda m: m.succeed(EXIT), ENDS, "returned <exit>", "run.success(<exit>)"),
    "succeed with 0": (lambda m: m.succeed(0), ENDS, "returned 0", "run.success(0)"),
    "fail": (lambda m: m.fail("why"), ENDS, "failed with 'why'", "run.fail('why')"),
    "event": (lambda m: m.event(), dict.fromkeys(ASKED, "ASK"), "was asked", "a question to the policy"),
    "decide by default": (
        lambda m: m.decide_by_default(),
        {
            asked_success: "NORMAL", asked_fail: "ROLLBACK", asked_rollback_success: "NORMAL",
            asked_rollback_fail: "ROLLBACK",
        },
        "was decided", "a verdict",
    ),
    "go on": (lambda m: m.go_on(), {unwound: "ROLLBACK"}, "went on", "going on"),
    "exit": (
        lambda m: m.decide(EXIT),
        {asked_success: "DONE", asked_fail: "UNWIND", asked_rollback_success: "DONE", asked_rollback_fail: "DONE"},
        "was decided with <exit>", "the verdict <exit>",
    ),
    "proceed": (
        lambda m: m.decide(proceed(first)), GOES_ON, "was decided with <proceed to first>",
        "the verdict <proceed to first>",
    ),
    "back": (
        lambda m: m.decide(ROLL_BACK_PREVIOUS),
        {
            asked_success: "UNWIND", asked_fail: "UNWIND", asked_rollback_success: "ROLLBACK",
            asked_rollback_fail: "ROLLBACK",
        },
        "was decided with <roll back previous>", "the verdict <roll back previous>",
    ),
    "give up": (
        lambda m: m.decide(FAIL_SEQUENCE),
        {
            asked_success: "UNWIND", asked_fail: "UNWIND", asked_rollback_success: "FAILED",
            asked_rollback_fail: "FAILED",
        },
        "was decided with <fail sequence>", "the verdict <fail sequence>",
    ),
    "panic": (
        lambda m: m.decide(PANIC), dict.fromkeys(ASKED, "PANICKED"), "was decided with <panic>", "the verdict <panic>",
    ),
}  # fmt: skip


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


def words(machine, late, move):
    if machine.phase in {Phase.ASK, Phase.UNWOUND}:
        return f"node second already ended, and then also {late}"
    return f"{move} is not allowed {machine.phase.value.format(machine.node)}"


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", MOVES)
def test_a_move_leads_where_the_table_says_and_elsewhere_raises_and_changes_nothing(make, name):
    move, legal, late, called = MOVES[name]
    machine = make()
    if make in legal:
        move(machine)
        assert machine.phase is Phase[legal[make]]
        return
    message = refused(machine, move)
    if name == "start":
        assert message == f"cannot start at first {machine.phase.value.format(machine.node)}"
    else:
        assert message == words(machine, late, called)


def test_asking_changes_nothing():
    machine = asked_fail()
    before = contents(machine)
    machine.event()
    assert contents(machine) == before


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
        assert message == words(machine, "was decided with <roll back current>", "the verdict <roll back current>")


@pytest.mark.parametrize("make", RUNNING, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "unknown", ["nowhere", 3, True, False, None, [], {}, foreign, ROLL_BACK_CURRENT, EXIT.after(1), proceed("first")]
)
def test_naming_what_is_no_node_raises_and_changes_nothing(make, unknown):
    message = refused(make(), lambda m: m.succeed(unknown))
    assert message == f"node second returned {unknown!r}, which is not a node of this sequence"


def test_an_unknown_node_is_answered_with_those_that_there_are():
    with pytest.raises(hafta.IllegalMove) as caught:
        normal().succeed("nowhere")
    assert caught.value.hint == "it has EXIT, first, second, giver, judged"


def test_a_move_after_the_end_says_whose_a_run_is():
    over = normal()
    over.succeed(EXIT)
    over.decide_by_default()
    with pytest.raises(hafta.IllegalMove, match="after the call has succeeded") as caught:
        over.fail("late")
    assert caught.value.hint == "use a run only in the functions to which it was given"


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


NO_NODE = ["nowhere", None, True, [], foreign]


@pytest.mark.parametrize("make", ASKED, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        *((Verdict(Act.PROCEED, at), f"returned {at!r}, which is not a node of this sequence") for at in NO_NODE),
        *((one, f"answered {one!r}, which is not a verdict") for one in (None, True, 0, "exit", first, Act.EXIT)),
    ],
)
def test_an_answer_that_is_no_verdict_or_names_no_node_raises_and_changes_nothing(make, answer, says):
    who = "node second" if isinstance(answer, Verdict) else "the policy of node second"
    assert refused(make(), lambda m: m.decide(answer)) == f"{who} {says}"


@pytest.mark.parametrize("at", [*NO_NODE, EXIT, 0])
def test_starting_at_what_is_no_node_or_at_the_exit_raises_and_changes_nothing(at):
    end = f"cannot start at {at!r}, which is not a node"
    elsewhere = f"the call starts at {at!r}, which is not a node of this sequence"
    assert refused(idle(), lambda m: m.start(at)) == (elsewhere if at in NO_NODE else end)


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


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), True, False])
def test_a_delay_is_a_time_that_ends(seconds):
    with pytest.raises(ValueError, match=rf"^a delay is 0 or more seconds, not {seconds!r}$"):
        EXIT.after(seconds)


def test_verdicts_read_well_and_are_equal_by_what_they_say():
    assert repr(proceed(first).after(1.5)) == "<proceed to first after 1.5 s>"
    assert proceed("first") == proceed("first") != proceed("second")
    assert len({EXIT, EXIT.after(0), EXIT.after(1)}) == 2
    assert EXIT != "exit"
