"""The classic behaviour, promise by promise, in both drivers."""

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


def test_failures_one_to_four_are_rolled_back_in_place(call):
    sequence, seen = two_nodes(4)
    assert call(sequence)
    assert seen == ["first", *["second", ("undo second", 2)] * 4, "second"]


def test_the_fifth_failure_in_a_row_goes_to_the_previous_node_with_the_last_checkpoint_that_it_had_set(call):
    sequence, seen = two_nodes(5)
    assert call(sequence)
    retried = seen.index(("undo first", 11)) + 1
    assert seen == ["first", *["second", ("undo second", 2)] * 5, ("undo first", 11), "first", "second"]
    assert seen[retried:] == ["first", "second"]


def test_the_count_begins_anew_after_going_to_the_previous_node(call):
    sequence, seen = two_nodes(9)
    assert call(sequence)
    assert seen.count(("undo first", 11)) == 1
    assert seen.count("second") == 10


def test_nothing_left_to_roll_back_to_fails_the_sequence(call):
    sequence = hafta.Sequence("alone")
    undone = []

    @sequence.node
    def only(run):
        raise OSError(2, "gone")

    @only.rollback
    def _(run, checkpoint):
        undone.append(run.attempt)

    result = call(sequence)
    assert str(result) == "alone failed at node only, attempt 5: [Errno 2] gone"
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


def test_a_rollback_failure_goes_to_the_previous_node_at_once(call):
    sequence, seen = two_nodes(1, undo=lambda run: run.fail("cannot undo"))
    assert call(sequence)
    assert seen == ["first", "second", ("undo second", 2), ("undo first", 11), "first", "second"]


def test_a_rollback_failure_by_exception_does_so_too(call):
    def undo(run):
        raise ValueError("cannot undo")

    sequence, seen = two_nodes(1, undo=undo)
    assert call(sequence)
    assert seen == ["first", "second", ("undo second", 2), ("undo first", 11), "first", "second"]


def test_a_rollback_that_names_another_node_goes_there(call):
    sequence, seen = two_nodes(1, undo=lambda run: "first")
    assert call(sequence)
    assert seen == ["first", "second", ("undo second", 2), "first", "second"]


def test_a_rollback_that_names_the_exit_ends_the_sequence_with_success(call):
    sequence, seen = two_nodes(9, undo=lambda run: EXIT)
    assert str(call(sequence)) == "two succeeded after 1 failure"
    assert seen == ["first", "second", ("undo second", 2)]


def test_while_unwinding_the_node_that_a_rollback_names_is_not_followed(call):
    def judge(run, event):
        return ROLL_BACK_PREVIOUS if event.kind is NORMAL_FAIL else hafta.default_policy(run, event)

    sequence, seen = two_nodes(1, undo=lambda run: EXIT, judge=judge)
    assert call(sequence)
    assert seen == ["first", "second", ("undo second", 2), ("undo first", 11), "first", "second"]


def test_while_unwinding_a_failure_is_recorded_and_the_unwinding_goes_on(call):
    def judge(run, event):
        return ROLL_BACK_PREVIOUS if event.kind is NORMAL_FAIL else hafta.default_policy(run, event)

    sequence, seen = two_nodes(1, undo=lambda run: run.fail("cannot undo"), judge=judge)
    runtime = FakeRuntime()
    result = call(sequence, runtime)
    assert seen == ["first", "second", ("undo second", 2), ("undo first", 11), "first", "second"]
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

    @sequence.node(policy=judge)
    def first(run):
        return second

    @sequence.node
    def second(run):
        return run.fail("no")

    @second.rollback
    def _(run, checkpoint):
        return run.fail("cannot undo")

    result = call(sequence)
    assert asked[1:] == [("first", ROLLBACK_SUCCESS, "cannot undo", first)]
    assert str(result) == "two failed at node second, attempt 1: cannot undo"


def test_a_node_without_a_rollback_function_is_as_if_that_had_named_its_own_node(call):
    sequence, runtime, tries = hafta.Sequence("bare"), FakeRuntime(), []

    @sequence.node
    def work(run):
        tries.append(run.attempt)
        return EXIT if len(tries) == 3 else run.fail("no")

    assert call(sequence, runtime)
    assert tries == [0, 1, 2]
    assert [(event.NAME, event.node, event.to_node) for event in runtime.events] == [
        ("rolled-back", "work", "work")
    ] * 2


def test_a_policy_overrides_what_it_wants_and_leaves_the_rest_to_the_default(call):
    sequence, tries = hafta.Sequence("forever"), []

    @sequence.node
    def work(run):
        tries.append(run.attempt)
        return EXIT if len(tries) == 50 else run.fail("no")

    @work.policy
    def _(run, event):
        return ROLL_BACK_CURRENT if event.kind is NORMAL_FAIL else hafta.default_policy(run, event)

    assert call(sequence)
    assert tries == list(range(50))


def test_a_policy_may_send_a_success_elsewhere(call):
    sequence, seen = hafta.Sequence("detour"), []

    @sequence.node
    def first(run):
        return "second"

    @first.policy
    def _(run, event):
        seen.append(event.to.name)
        return hafta.proceed("third")

    @sequence.node
    def second(run):
        seen.append("second ran")
        return EXIT

    @sequence.node
    def third(run):
        seen.append("third ran")
        return EXIT

    assert call(sequence)
    assert seen == ["second", "third ran"]


def test_failing_the_sequence_rolls_back_the_node_and_leaves_the_visited_ones(call):
    def judge(run, event):
        return FAIL_SEQUENCE

    sequence, seen = two_nodes(1, judge=judge)
    result = call(sequence)
    assert str(result) == "two failed at node second, attempt 1: no"
    assert seen == ["first", "second", ("undo second", 2)]
