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


@pytest.fixture(params=["blocking", "asyncio"])
def call(request):
    """Call a sequence in one of the drivers, with a runtime; return its result."""

    def blocking(sequence, runtime=None, data=None):
        return sequence.call(data, runtime=runtime or FakeRuntime())

    def awaiting(sequence, runtime=None, data=None):
        runtime = runtime or FakeRuntime()
        return runtime.run_async(sequence.call_async(data, runtime=runtime))

    return {"blocking": blocking, "asyncio": awaiting}[request.param]


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


def test_the_last_checkpoint_is_handed_to_the_rollback_which_may_set_its_own(call):
    sequence, handed = hafta.Sequence("points"), []

    @sequence.node
    def work(run):
        if len(handed) == 3:
            return EXIT
        run.checkpoint(1, read=10)
        run.checkpoint(2, written=5)
        return run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        handed.append((checkpoint, run.state))
        if checkpoint == 2 and len(handed) == 1:
            run.checkpoint(1, undone=True)
            return run.fail("half undone")
        return work

    @work.policy
    def _(run, event):
        return ROLL_BACK_CURRENT if event.kind is ROLLBACK_FAIL else hafta.default_policy(run, event)

    assert call(sequence)
    assert handed == [
        (2, {"read": 10, "written": 5}),
        (1, {"read": 10, "written": 5, "undone": True}),
        (2, {"read": 10, "written": 5}),
    ]


def test_each_visit_of_a_node_begins_with_checkpoint_zero_and_no_state(call):
    sequence, seen = hafta.Sequence("fresh"), []

    @sequence.node
    def work(run):
        seen.append((run.recorded, run.state))
        run.checkpoint(9, at=9)
        return EXIT if len(seen) == 3 else work if len(seen) == 2 else run.fail("no")

    assert call(sequence)
    assert seen == [(0, {})] * 3


def test_a_checkpoint_is_an_integer():
    sequence = hafta.Sequence("points")

    @sequence.node
    def work(run):
        run.checkpoint("received")

    result = sequence.call(runtime=FakeRuntime())
    assert str(result.reason) == "a checkpoint is a small integer, best of an IntEnum, not 'received'"


def test_a_checkpoint_feeds_the_watchdog():
    sequence, runtime = hafta.Sequence("fed"), FakeRuntime()

    @sequence.node
    def work(run):
        for value in range(3):
            run.checkpoint(value)
        run.progress()
        return EXIT

    assert sequence.call(runtime=runtime)
    assert runtime.progresses == 4


def test_ending_twice_by_forgetting_a_return_is_an_error_of_the_program(call):
    """The tutorial's own normalInit: HC_NormalFail without return, then HC_NormalSuccess."""
    sequence = hafta.Sequence("tutorial")

    @sequence.node
    def init(run):
        run.fail("open failed")
        return run.success("get_work")

    @sequence.node
    def get_work(run):
        return EXIT

    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == "node init has ended already; then came success naming get_work"
    assert caught.value.hint == "end a function once"


@pytest.mark.parametrize(
    ("first_end", "second_end", "message"),
    [
        ("fail", "return", "node work has ended already; then came success naming work"),
        ("success", "return", "node work has ended already; then came success naming work"),
        ("success", "fail", "node work has ended already; then came failure 'again'"),
        ("fail", "raise", "node work has ended already; then came failure ValueError('again')"),
    ],
)
def test_ending_twice_in_any_way_is_an_error_of_the_program(call, first_end, second_end, message):
    sequence = hafta.Sequence("twice")

    @sequence.node
    def work(run):
        if first_end == "fail":
            run.fail("no")
        else:
            run.success(EXIT)
        if second_end == "fail":
            return run.fail("again")
        if second_end == "raise":
            raise ValueError("again")
        return work

    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == message


def test_ending_without_returning_it_is_enough(call):
    sequence = hafta.Sequence("once")

    @sequence.node
    def work(run):
        run.success(EXIT)

    assert call(sequence)


def test_a_normal_function_that_returns_nothing_is_an_error_of_the_program(call):
    sequence = hafta.Sequence("nothing")
    sequence.node(name="work")(lambda run: None)
    with pytest.raises(hafta.IllegalMove) as caught:
        call(sequence)
    assert caught.value.message == "node work of sequence nothing returned nothing"
    assert caught.value.hint == "return the next node, EXIT, or run.fail(reason)"


def test_an_error_of_the_program_in_an_inner_sequence_is_no_failure_of_the_outer_node(call):
    inner, outer = hafta.Sequence("inner"), hafta.Sequence("outer")
    inner.node(name="deep")(lambda run: "nowhere")

    @outer.node
    def caller(run):
        inner.call()

    with pytest.raises(hafta.IllegalMove, match=r"^node deep named 'nowhere', which is no node of the sequence$"):
        call(outer)


def test_what_is_no_exception_of_the_program_passes_through(call):
    sequence, undone = hafta.Sequence("stopped"), []

    @sequence.node
    def work(run):
        raise SystemExit(3)

    @work.rollback
    def _(run, checkpoint):
        undone.append(checkpoint)

    with pytest.raises(SystemExit):
        call(sequence)
    assert undone == []


def test_what_a_policy_raises_is_no_failure_of_its_node(call):
    sequence, undone = hafta.Sequence("judge"), []

    @sequence.node
    def work(run):
        return run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        undone.append(checkpoint)

    @work.policy
    def _(run, event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(sequence)
    assert undone == []


def test_the_policy_sees_the_whole_history_of_its_node(call):
    sequence, seen = hafta.Sequence("history"), {}

    @sequence.node
    def first(run):
        return second if seen else run.fail("warming up")

    @first.policy
    def _(run, event):
        seen.setdefault("first", []).append((len(event.failures), len(event.history)))
        return hafta.default_policy(run, event)

    @sequence.node
    def second(run):
        tries = len(seen.get("second", ()))
        return EXIT if tries == 8 else second if tries == 5 else run.fail(tries)

    @second.policy
    def _(run, event):
        if event.kind is not ROLLBACK_SUCCESS:
            told = [failure.reason for failure in event.failures], [failure.reason for failure in event.history]
            seen.setdefault("second", []).append((event.attempt, *told))
        return ROLL_BACK_CURRENT if event.kind is NORMAL_FAIL else hafta.default_policy(run, event)

    result = call(sequence)
    assert seen["second"][:3] == [(1, [0], [0]), (2, [0, 1], [0, 1]), (3, [0, 1, 2], [0, 1, 2])]
    assert seen["second"][5:8] == [(5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]), (1, [6], [0, 1, 2, 3, 4, 6]),
                                   (2, [6, 7], [0, 1, 2, 3, 4, 6, 7])]  # fmt: skip
    assert seen["first"] == [(1, 1), (1, 1), (1, 1)]
    assert [failure.reason for failure in result.history] == ["warming up", 0, 1, 2, 3, 4, 6, 7]


def test_the_userdata_is_the_callers_own_object(call):
    sequence, mine = hafta.Sequence("data"), object()

    @sequence.node
    def work(run):
        assert run.data is mine
        run.data = None
        return second

    @sequence.node
    def second(run):
        return EXIT if run.data is None else run.fail(run.data)

    assert call(sequence, data=mine)


def test_a_function_knows_where_it_is(call):
    sequence, seen = hafta.Sequence("where"), []

    @sequence.node
    def work(run):
        seen.append((run.sequence is sequence, run.node is work, run.attempt, run.reason))
        return EXIT if run.attempt else run.fail("no")

    assert call(sequence)
    assert seen == [(True, True, 0, None), (True, True, 1, "no")]


def test_a_call_describes_where_it_stands(call):
    sequence, runtime, seen = hafta.Sequence("status"), FakeRuntime(), []

    @sequence.node
    def work(run):
        seen.extend(describe() for describe in runtime.describers)
        return EXIT if run.attempt else run.fail("no")

    @work.rollback
    def _(run, checkpoint):
        seen.extend(describe() for describe in runtime.describers)

    assert call(sequence, runtime)
    assert seen == [
        "status: node work, 0 failures in this call",
        "status: rolling back node work, 1 failed attempts, 1 failures in this call",
        "status: node work, 1 failed attempts, 1 failures in this call",
    ]
    assert runtime.describers == []


def test_a_function_speaks_through_its_runtime(call):
    sequence, runtime = hafta.Sequence("talk"), FakeRuntime()

    @sequence.node
    def work(run):
        run.say("1 successful read(s)")
        run.status("reading")
        return EXIT

    assert call(sequence, runtime)
    assert (runtime.said, runtime.statuses) == (["1 successful read(s)"], ["reading"])


def test_a_rollback_entry_says_where_the_node_stands_in_the_code(call):
    sequence, runtime = hafta.Sequence("code"), FakeRuntime()

    @sequence.node
    def work(run):
        return EXIT if run.attempt else run.fail("no")

    assert call(sequence, runtime)
    file, line, name = runtime.events[0].code
    assert file == __file__
    assert name.endswith("<locals>.work")
    assert line == work.normal_function.__code__.co_firstlineno
