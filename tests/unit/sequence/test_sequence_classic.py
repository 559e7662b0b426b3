"""The classic behaviour, promise by promise, in both drivers."""

import pytest

import hafta
from hafta import (
    EXIT,
    FAIL_SEQUENCE,
    NORMAL_FAIL,
    ROLL_BACK_CURRENT,
    ROLL_BACK_PREVIOUS,
    ROLLBACK_FAIL,
    ROLLBACK_SUCCESS,
)
from hafta.testing import FakeRuntime


def two_nodes(failures, *, undo=None, judge=None):
    """first -> second -> EXIT; the second fails so often. What happens is noted."""
    sequence, seen = hafta.Sequence("two"), []
    left = [failures]

    @sequence.node
    def first(run):
        seen.append("first")
        run.checkpoint(10 + len(seen))
        return second

    @first.rollback
    def _(run, checkpoint):
        seen.append(("undo first", checkpoint))

    @sequence.node(policy=judge)
    def second(run):
        seen.append("second")
        run.checkpoint(2)
        if left[0]:
            left[0] -= 1
            return run.fail("no")
        return EXIT

    @second.rollback
    def _(run, checkpoint):
        seen.append(("undo second", checkpoint))
        return undo(run) if undo else None

    return sequence, seen


def no_undo(run):
    return run.fail("cannot undo")


def raising(run):
    raise ValueError("cannot undo")


def judged(kind, verdict):
    """A policy that answers this to events of a kind, and the default to others."""
    return lambda run, event: verdict if event.kind is kind else hafta.default_policy(run, event)


previous = judged(NORMAL_FAIL, ROLL_BACK_PREVIOUS)


TRY, BACK = ["second", ("undo second", 2)], [("undo first", 11), "first", "second"]


@pytest.mark.parametrize(
    ("failures", "undo", "judge", "seen", "says"),
    [
        (4, None, None, ["first", *TRY * 4, "second"], "two succeeded after 4 failures"),
        (5, None, None, ["first", *TRY * 5, *BACK], "two succeeded after 5 failures"),
        (9, None, None, ["first", *TRY * 5, *BACK, *TRY[1:], *TRY * 3, "second"], "two succeeded after 9 failures"),
        (1, no_undo, None, ["first", *TRY, *BACK], "two succeeded after 2 failures"),
        (1, raising, None, ["first", *TRY, *BACK], "two succeeded after 2 failures"),
        (1, lambda run: "first", None, ["first", *TRY, "first", "second"], "two succeeded after 1 failure"),
        (9, lambda run: EXIT, None, ["first", *TRY], "two succeeded after 1 failure"),
        (1, lambda run: EXIT, previous, ["first", *TRY, *BACK], "two succeeded after 1 failure"),
        (1, None, lambda run, event: FAIL_SEQUENCE, ["first", *TRY], "two failed at node second, attempt 1: no"),
    ],
    ids=[
        "failures one to four are rolled back in place",
        "the fifth in a row goes to the previous node with the last checkpoint that it had set",
        "the count begins again after going to the previous node",
        "a rollback failure goes to the previous node at once",
        "a rollback failure by exception does so, too",
        "a rollback that names another node goes there",
        "a rollback that names the exit ends the sequence with success",
        "while unwinding, the node that a rollback names is not followed",
        "failing the sequence rolls back the node and leaves the visited ones",
    ],
)
def test_failures_lead_where_the_classic_rules_say(call, failures, undo, judge, seen, says):
    sequence, happened = two_nodes(failures, undo=undo, judge=judge)
    assert str(call(sequence)) == says
    assert happened == seen


def test_nothing_left_to_roll_back_to_fails_the_sequence(call):
    sequence, undone = hafta.Sequence("alone"), []

    @sequence.node
    def only(run):
        raise OSError(2, "gone")

    only.rollback(lambda run, checkpoint: undone.append(run.attempt))
    assert str(call(sequence)) == "alone failed at node only, attempt 5: [Errno 2] gone"
    assert undone == [1, 2, 3, 4, 5]


def test_a_success_ends_the_row_of_failures(call):
    sequence, tries = hafta.Sequence("row"), []

    @sequence.node
    def loop(run):
        tries.append(run.attempt)
        if len(tries) == 15:
            return EXIT
        return loop if len(tries) % 5 == 0 else run.fail("four of five")

    assert call(sequence)
    assert tries == [0, 1, 2, 3, 4] * 3


def test_while_unwinding_a_failure_is_recorded_and_the_unwinding_goes_on(call):
    sequence, seen = two_nodes(1, undo=no_undo, judge=previous)
    runtime = FakeRuntime()
    result = call(sequence, runtime)
    assert seen == ["first", *TRY, *BACK]
    assert [(failure.kind, failure.reason) for failure in result.history] == [
        (NORMAL_FAIL, "no"),
        (ROLLBACK_FAIL, "cannot undo"),
    ]
    assert [(event.NAME, event.node, event.reason, event.unwinding, event.to_node) for event in runtime.events] == [
        ("rollback-failed", "second", "cannot undo", True, "first"),
        ("rolled-back", "first", "no", None, "first"),
    ]


def test_what_the_rollback_of_the_previous_node_answers_goes_to_its_own_policy(call):
    sequence, asked = hafta.Sequence("two"), []

    def judge(run, event):
        asked.append((event.node.name, event.kind, event.reason, event.to))
        return FAIL_SEQUENCE if event.kind is ROLLBACK_SUCCESS else hafta.default_policy(run, event)

    first = sequence.node(name="first", policy=judge)(lambda run: "second")
    second = sequence.node(name="second")(lambda run: run.fail("no"))
    second.rollback(lambda run, checkpoint: run.fail("cannot undo"))
    assert str(call(sequence)) == "two failed at node second, attempt 1: cannot undo"
    assert asked[1:] == [("first", ROLLBACK_SUCCESS, "cannot undo", first)]


def test_a_node_without_a_rollback_function_is_as_if_that_had_named_its_own_node(call):
    sequence, runtime, tries = hafta.Sequence("bare"), FakeRuntime(), []

    @sequence.node
    def work(run):
        tries.append(run.attempt)
        return EXIT if len(tries) == 3 else run.fail("no")

    assert call(sequence, runtime)
    assert tries == [0, 1, 2]
    *rolled_back, recovered = runtime.events
    assert [(event.NAME, event.node, event.to_node) for event in rolled_back] == [("rolled-back", "work", "work")] * 2
    assert (recovered.NAME, recovered.node) == ("recovered", "work")


def test_a_policy_overrides_what_it_wants_and_leaves_the_rest_to_the_default(call):
    sequence, tries = hafta.Sequence("forever"), []

    @sequence.node(policy=judged(NORMAL_FAIL, ROLL_BACK_CURRENT))
    def work(run):
        tries.append(run.attempt)
        return EXIT if len(tries) == 50 else run.fail("no")

    assert call(sequence)
    assert tries == list(range(50))


def test_a_policy_may_send_a_success_elsewhere(call):
    sequence, seen = hafta.Sequence("detour"), []
    policy = lambda run, event: seen.append(event.to.name) or hafta.proceed("third")
    sequence.node(name="first", policy=policy)(lambda run: "second")
    for name in ("second", "third"):
        sequence.node(name=name)(lambda run: seen.append(f"{run.node} ran") or EXIT)
    assert call(sequence)
    assert seen == ["second", "third ran"]
