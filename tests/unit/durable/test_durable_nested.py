"""Sequences inside of sequences: docs/durable.md, section 3."""

import asyncio

import pytest
from durable_support import Died, Lives, Program, at

import hafta
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime


class Nest:
    """An outer sequence whose node `load` calls inner ones; plain, for it runs in both drivers."""

    def __init__(self, lives, inner, *, durable=(), nodes=("open", "load", "close")):
        self.outer = Program(lives, *nodes, durable=durable, name="outer")
        self.inner = inner
        self.lives = lives

    def calls(self, *before, after=None):
        """An action of an outer node: do things, call the inner sequence, do another."""

        def act(run):
            for action in before:
                action(run)
            run.call(self.inner.sequence)
            return after(run) if after else None

        return act

    def says(self, *times, node="load", function="normal"):
        self.outer.say(node, *times, function=function)
        return self


@pytest.fixture
def nest(lives):
    return Nest(lives, Program(lives, "get", "put", name="inner", durable=("get",)), durable=("open",))


def test_the_outer_node_runs_again_and_is_not_rolled_back_and_the_inner_one_resumes(lives, nest):
    nest.says(*[nest.calls()] * 2).inner.say("put", at(7, "die", path="/a"))
    lives.die(nest.outer.sequence)
    assert [(level.sequence, level.node, level.phase) for level in lives.record("outer")] == [
        ("outer", "load", "normal"), ("inner", "put", "normal"),
    ]  # fmt: skip
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("load", 0), ("undo put", 7, {"path": "/a"}), ("put", 1), ("close", 0)]


def test_the_outer_node_has_its_checkpoint_and_state_again(lives, nest):
    seen = []
    look = lambda run: seen.append((run.recorded, run.state))
    nest.says(*[nest.calls(look, at(3, number=1))] * 2).inner.say("put", "die")
    lives.die(nest.outer.sequence)
    assert lives.run(nest.outer.sequence)
    assert seen == [(0, {}), (3, {"number": 1})]


def test_an_inner_sequence_called_in_a_loop_goes_on_where_the_loop_was(lives, nest):
    done = []

    def loop(run):
        for number in range(run.state.get("number", 0), 4):
            run.checkpoint(1, number=number)
            run.call(nest.inner.sequence)
            done.append(number)

    nest.says(loop, loop, loop).inner.say("get", None, None, "die", None, "die")
    lives.die(nest.outer.sequence)
    lives.die(nest.outer.sequence)
    assert lives.run(nest.outer.sequence)
    assert done == [0, 1, 2, 3]
    assert lives.said.count(("undo get", 0, {})) == 2
    assert not [said for said in lives.said if said[0] == "undo load"]


def test_each_sequence_reports_that_it_resumes(lives, nest):
    nest.says(*[nest.calls()] * 2).inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    assert lives.run(nest.outer.sequence)
    assert [(event.sequence, event.node, event.attempt) for event in lives.events("resumed")] == [
        ("outer", "load", 0), ("inner", "put", 1),
    ]  # fmt: skip


def test_three_deep_the_innermost_is_rolled_back(lives):
    deep = Program(lives, "dig", name="deep")
    middle = Program(lives, "middle", name="middle")
    nest = Nest(lives, middle)
    middle.say("middle", *[lambda run: run.call(deep.sequence) and None] * 3)
    nest.says(*[nest.calls()] * 3)
    deep.say("dig", at(1, "die", depth=3), at(2, "die", depth=4))
    lives.die(nest.outer.sequence)
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [
        ("open", 0), ("load", 0), ("middle", 0), ("undo dig", 2, {"depth": 4}), ("dig", 2), ("close", 0),
    ]  # fmt: skip


def test_the_stacks_of_all_sequences_are_taken_up_each_when_it_resumes(lives):
    inner = Program(lives, "connect", "send", name="inner")
    nest = Nest(lives, inner)
    nest.says(*[nest.calls()] * 2)
    inner.say("send", "die")
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("open", 0), ("load", 0), ("connect", 0), ("undo send", 0, {}), ("send", 1), ("close", 0)]


def test_died_after_the_inner_sequence_had_ended_the_outer_node_is_rolled_back(lives, nest):
    nest.says(nest.calls(after=at(9, "die")), nest.calls())
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("undo load", 9, {}), ("load", 1), ("get", 0), ("put", 0), ("close", 0)]


def test_the_failure_of_the_inner_sequence_is_the_outer_nodes_and_is_rolled_back(lives, nest):
    nest.says(*[nest.calls()] * 2).inner.say("get", *["fail"] * 5)
    assert lives.run(nest.outer.sequence)
    assert lives.said.count(("undo load", 0, {})) == 1
    assert lives.record("outer") == ()


def test_an_outer_node_that_ends_without_the_inner_call_has_failed(lives, nest):
    nest.says(nest.calls(), None, nest.calls()).inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("load", 0), ("undo load", 0, {}), ("load", 1), ("get", 0), ("put", 0), ("close", 0)]
    (rolled,) = lives.events("rolled-back")
    assert rolled.reason == "the inner sequence inner was interrupted in node put, and has not been called again"


@pytest.mark.parametrize("end", [lambda run: run.success("close"), lambda run: run.fail("no")])
def test_it_has_failed_however_it_ends(lives, nest, end):
    nest.says(nest.calls(), end, nest.calls()).inner.say("put", "die")
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said[:2] == [("load", 0), ("undo load", 0, {})]
    assert lives.said[-3:] == [("get", 0), ("put", 0), ("close", 0)]


def test_another_inner_sequence_before_the_interrupted_one_is_a_failure_of_the_outer_node(lives, nest):
    other = Program(lives, "prepare", name="other")
    both = nest.calls(lambda run: run.call(other.sequence))
    nest.says(both, both, both).inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said[:3] == [("load", 0), ("undo load", 0, {}), ("load", 1)]
    (rolled,) = lives.events("rolled-back")
    assert "inner was interrupted in node put, and has not been called again, but other" in rolled.reason


def test_an_outer_node_that_skips_by_its_state_calls_two_sequences(lives, nest):
    other = Program(lives, "prepare", name="other")

    def prepare(run):
        if not run.state.get("prepared"):
            run.call(other.sequence)
            run.checkpoint(1, prepared=True)

    nest.says(*[nest.calls(prepare)] * 2).inner.say("put", "die")
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("load", 0), ("undo put", 0, {}), ("put", 1), ("close", 0)]


def test_deaths_in_the_outer_node_before_the_inner_call_do_not_lose_the_inner_one(lives, nest):
    nest.says(nest.calls(), at(2, "die", more=1), "die", nest.calls()).inner.say("put", at(7, "die"))
    for _ in range(3):
        lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("load", 2), ("undo put", 7, {}), ("put", 1), ("close", 0)]


def test_five_deaths_before_the_inner_call_are_the_outer_nodes(lives, nest):
    nest.says(nest.calls(), *["die"] * 5, nest.calls()).inner.say("put", at(7, "die"))
    for _ in range(6):
        lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said[:3] == [("undo load", 0, {}), ("undo open", 0, {}), ("open", 0)]


def test_a_death_while_the_outer_stack_is_taken_up_does_not_lose_the_inner_one(lives):
    nest = Nest(lives, Program(lives, "put", name="inner"))
    nest.says(*[nest.calls()] * 2).inner.say("put", at(7, "die"))
    nest.outer.say("open", None, "die", "die")
    for _ in range(3):
        lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("open", 0), ("load", 2), ("undo put", 7, {}), ("put", 1), ("close", 0)]


def test_what_a_node_calls_while_it_is_taken_up_is_not_recorded(lives):
    helper = Program(lives, "help", name="helper")
    nest = Nest(lives, Program(lives, "put", name="inner"))
    nest.outer.say("open", *[lambda run: run.call(helper.sequence) and None] * 3)
    nest.says(*[nest.calls()] * 3).inner.say("put", at(7, "die"))
    helper.say("help", None, lambda run: (run.checkpoint(1, x=1), _die())[0])
    lives.die(nest.outer.sequence)
    lives.die(nest.outer.sequence)
    assert [level.node for level in lives.record("outer")] == ["load", "put"]
    assert lives.run(nest.outer.sequence)
    assert lives.said[-3:] == [("undo put", 7, {}), ("put", 1), ("close", 0)]


def _die():
    raise Died


def test_an_inner_sequence_in_a_rollback_function_resumes_in_that_function(lives, nest):
    nest.says(at(4, "fail")).says(*[nest.calls()] * 2, function="rollback").inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("undo load", 4, {}), ("undo put", 7, {}), ("put", 1), ("load", 1), ("close", 0)]


def test_an_inner_sequence_while_unwinding_resumes_there(lives, nest):
    nest.outer.sequence.nodes["load"].policy(_previous_at_once)
    nest.says(at(4, "fail")).says(*[nest.calls()] * 2, function="rollback").inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said[:4] == [("undo load", 4, {}), ("undo put", 7, {}), ("put", 1), ("undo open", 0, {})]


def test_a_rollback_function_that_fails_before_the_inner_call_leaves_it_behind(lives, nest):
    nest.says(at(4, "fail")).says(nest.calls(), "fail", nest.calls(), function="rollback")
    nest.inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said[:2] == [("undo load", 4, {}), ("undo open", 0, {})]
    assert lives.record("outer") == ()


def _previous_at_once(run, event):
    return hafta.ROLL_BACK_PREVIOUS if event.kind is hafta.NORMAL_FAIL else hafta.default_policy(run, event)


def test_what_a_policy_calls_is_not_recorded(lives, nest):
    def policy(run, event):
        if event.kind is hafta.INTERRUPTED:
            return hafta.default_policy(run, event)
        run.call(nest.inner.sequence)
        return hafta.default_policy(run, event)

    nest.outer.sequence.nodes["load"].policy(policy)
    nest.inner.say("put", at(7, "die"))
    lives.die(nest.outer.sequence)
    assert [level.sequence for level in lives.record("outer")] == ["outer"]
    assert lives.run(nest.outer.sequence)
    assert ("undo load", 0, {}) in lives.said


def test_the_outer_node_may_set_checkpoints_from_inside_of_the_inner_one(lives, nest):
    runs = []
    nest.says(nest.calls(runs.append), nest.calls(lambda run: lives.said.append(run.state)))
    nest.inner.say("put", lambda run: (run.checkpoint(7, mine=1), runs[0].checkpoint(2, total=5), _die())[0])
    lives.die(nest.outer.sequence)
    lives.said.clear()
    assert lives.run(nest.outer.sequence)
    assert lives.said == [("load", 0), {"total": 5}, ("undo put", 7, {"mine": 1}), ("put", 1), ("close", 0)]


def test_a_checkpoint_of_a_call_that_is_over_changes_nothing(lives, nest):
    runs = []
    nest.inner.say("put", runs.append)
    nest.says(nest.calls())
    nest.outer.say("close", lambda _run: runs[0].checkpoint(9, late=True))
    assert lives.run(nest.outer.sequence)
    assert lives.record("outer") == ()


def test_two_inner_sequences_at_once_are_a_mistake_of_the_program():
    inner = hafta.Sequence("inner")

    @inner.node
    async def work(run):
        await asyncio.sleep(1)
        return hafta.EXIT

    outer = hafta.Sequence("outer")

    @outer.node
    async def both(run):
        await asyncio.gather(run.call(inner), run.call(inner))
        return hafta.EXIT

    runtime = FakeRuntime()
    with pytest.raises(hafta.IllegalMove, match="inner is called while inner runs in the same durable call"):
        runtime.run_async(outer.call_async(runtime=runtime, store=MemoryStore()))
    assert runtime.run_async(outer.call_async(runtime=runtime))


def test_a_cancelled_inner_call_leaves_a_whole_record_behind():
    inner = hafta.Sequence("inner")

    @inner.node
    async def slow(run):
        await asyncio.sleep(100)
        return hafta.EXIT

    outer = hafta.Sequence("outer")
    tries = []

    @outer.node
    async def impatient(run):
        tries.append(run.attempt)
        if len(tries) > 1:
            return hafta.EXIT
        await asyncio.wait_for(run.call(inner), 1)
        return hafta.EXIT

    lives = Lives(MemoryStore(), asynchronous=True)
    assert lives.run(outer)
    assert tries == [0, 1]
    assert lives.record("outer") == ()


def test_an_inner_sequence_of_the_other_kind_resumes_too(lives):
    inner = hafta.Sequence("inner")
    said = []

    @inner.node
    async def put(run):
        said.append(run.attempt)
        run.checkpoint(1, path="/a")
        if len(said) == 1:
            raise Died
        return hafta.EXIT

    @put.rollback
    async def undo(run, checkpoint):
        said.append((checkpoint, run.state))

    outer = hafta.Sequence("outer")
    if lives.asynchronous:

        @outer.node
        async def load(run):
            await run.call(inner)
            return hafta.EXIT
    else:

        @outer.node
        def load(run):
            run.call(inner)
            return hafta.EXIT

    lives.die(outer)
    assert lives.run(outer)
    assert said == [0, (1, {"path": "/a"}), 1]


def test_an_inner_call_without_run_is_not_recorded(lives, nest):
    nest.says(lambda run: nest.inner.sequence.call(runtime=lives.runtime) and None, None)
    nest.inner.say("put", "die")
    lives.die(nest.outer.sequence)
    assert [level.sequence for level in lives.record("outer")] == ["outer"]
