"""What the functions of a node are given and can do: checkpoints, state, history, userdata, words."""

import gc
import warnings

import pytest

import hafta
from hafta import EXIT, FAIL_SEQUENCE, NORMAL_FAIL, ROLL_BACK_CURRENT, ROLLBACK_FAIL, ROLLBACK_SUCCESS
from hafta.testing import FakeRuntime


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


def test_a_checkpoint_is_an_integer_feeds_the_watchdog_and_may_have_values_named_value_and_self(call):
    sequence, runtime, seen = hafta.Sequence("points"), FakeRuntime(), []

    @sequence.node(policy=lambda run, event: FAIL_SEQUENCE)
    def work(run):
        for number in range(3):
            run.checkpoint(number, value=7, self="me")
        run.progress()
        seen.extend((run.state, runtime.progresses))
        run.checkpoint("received")

    result = call(sequence, runtime)
    assert seen == [{"value": 7, "self": "me"}, 4]
    assert str(result.reason) == "a checkpoint is a small integer, best of an IntEnum, not 'received'"


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
    sequence, mine, seen = hafta.Sequence("data"), object(), []

    @sequence.node
    def work(run):
        seen.append(run.data)
        run.data = None
        return second

    second = sequence.node(name="second")(lambda run: seen.append(run.data) or EXIT)
    assert call(sequence, data=mine)
    assert seen == [mine, None]


def test_a_call_describes_where_it_stands(call):
    sequence, runtime, seen = hafta.Sequence("status"), FakeRuntime(), []
    look = lambda *_: seen.extend(describe() for describe in runtime.describers)
    work = sequence.node(name="work")(lambda run: look() or (EXIT if run.attempt else run.fail("no")))
    work.rollback(lambda run, checkpoint: look())
    assert call(sequence, runtime)
    assert seen == [
        "status: node work, 0 failures in this call",
        "status: rolling back node work, 1 failed attempts, 1 failures in this call",
        "status: node work, 1 failed attempts, 1 failures in this call",
    ]
    assert runtime.describers == []


def test_a_function_knows_where_it_is_and_speaks_through_its_runtime(call):
    sequence, runtime, seen = hafta.Sequence("where"), FakeRuntime(), []

    @sequence.node
    def work(run):
        seen.append((run.sequence is sequence, run.node is work, run.attempt, run.reason))
        run.say("1 successful read(s)")
        run.status("reading")
        return EXIT if run.attempt else run.fail("no")

    assert call(sequence, runtime)
    assert seen == [(True, True, 0, None), (True, True, 1, "no")]
    assert (runtime.said, runtime.statuses) == (["1 successful read(s)"] * 2, ["reading"] * 2)


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


def test_a_stop_before_the_loop_runs_leaves_no_warning_of_a_coroutine_that_nobody_awaited():
    sequence = hafta.Sequence("slow")

    @sequence.node
    async def work(run):
        return hafta.EXIT

    class Stopping(FakeRuntime):
        def run_async(self, coroutine):
            raise KeyboardInterrupt

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(KeyboardInterrupt):
            sequence.call(runtime=Stopping())
        gc.collect()
    assert not warned
