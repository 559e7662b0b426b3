"""Sequences inside of sequences: docs/durable-rules.md, section 3."""

import asyncio

import pytest
from durable_stories import Story, stories
from durable_support import Died, Lives, Program, at, judged

import hafta
from hafta.engine.resume import RUNS
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime

OUTER, INNER = "open* load close", "get* put"
SKIPPED = {"load": ["call", None, "call"], "put": at(7, "die")}  # the second process does not call the inner sequence
BACK = "load 0, undo load 0 {}, load 1, get 0, put 0, close 0"


STORIES = {
    "the outer node runs again, is not rolled back, and the inner sequence resumes; each reports it": Story(
        OUTER, {"load": ["call"] * 2, "put": at(7, "die", path="/a")}, "die", inner=INNER, doing=RUNS,
        says="load 0, undo put 7 path='/a', put 1, close 0", resumed=[("load", 0, 0), ("put", 1, 7)],
    ),
    "three deep, the innermost is rolled back": Story(
        "open load close",
        {"load": ["call"] * 3, "middle": ["call"] * 3, "dig": [at(1, "die", a=3), at(2, "die", a=4)]}, "die", "die",
        inner="middle", deep="dig", says="open 0, load 0, middle 0, undo dig 2 a=4, dig 2, close 0",
    ),
    "the local nodes of all sequences run again, each when it resumes": Story(
        "open load close", {"load": ["call"] * 2, "send": "die"}, "die", inner="connect send",
        says="open 0, load 0, connect 0, undo send 0 {}, send 1, close 0",
    ),
    "died after the inner sequence had ended, the outer node is rolled back": Story(
        OUTER, {"load": [("call", at(9, "die")), "call"]}, "die", inner=INNER,
        says="undo load 9 {}, load 1, get 0, put 0, close 0",
    ),
    "the failure of the inner sequence is that of the outer node, which is rolled back": Story(
        OUTER, {"load": ["call"] * 2, "get": ["fail"] * 5}, inner=INNER,
        has="undo load 0 {}, load 1, get 0, put 0, close 0",
    ),
    "an outer node that ends without the inner call has failed": Story(
        OUTER, SKIPPED, "die", inner=INNER, says=BACK,
        rolled="the inner sequence inner was interrupted in node put, and has not been called again",
    ),
    "it has failed if it says success": Story(
        OUTER, SKIPPED | {"load": ["call", lambda run: run.success("close"), "call"]}, "die", inner=INNER, says=BACK,
    ),
    "it has failed if it says failure": Story(
        OUTER, SKIPPED | {"load": ["call", "fail", "call"]}, "die", inner=INNER, says=BACK,
    ),
    "another inner sequence before the interrupted one is a failure of the outer node": Story(
        OUTER, SKIPPED | {"load": [("call other", "call")] * 3}, "die", inner=INNER, other="prepare",
        says="load 0, undo load 0 {}, load 1, prepare 0, get 0, put 0, close 0",
        rolled="inner was interrupted in node put, and has not been called again, but other",
    ),
    "deaths in the outer node before the inner call do not lose the inner sequence": Story(
        OUTER, {"load": ["call", at(2, "die", more=1), "die", "call"], "put": at(7, "die")}, *["die"] * 3, inner=INNER,
        says="load 2, undo put 7 {}, put 1, close 0",
    ),
    "five deaths before the inner call are those of the outer node": Story(
        OUTER, {"load": ["call", *["die"] * 5, "call"], "put": at(7, "die")}, *["die"] * 6, inner=INNER,
        first="undo load 0 {}, undo open 0 {}, open 0",
    ),
    "a death while nodes of the outer sequence run again does not lose the inner one": Story(
        "open load close", {"open": [None, "die", "die"], "load": ["call"] * 2, "put": at(7, "die")}, *["die"] * 3,
        inner="put", says="open 0, load 2, undo put 7 {}, put 1, close 0",
    ),
    "an inner sequence in a rollback function resumes in that function": Story(
        OUTER, {"load": at(4, "fail"), "undo load": ["call"] * 2, "put": at(7, "die")}, "die", inner=INNER,
        says="undo load 4 {}, undo put 7 {}, put 1, load 1, close 0",
    ),
    "an inner sequence in an unwinding resumes there": Story(
        OUTER, {"load": at(4, "fail"), "undo load": ["call"] * 2, "put": at(7, "die")}, "die", inner=INNER,
        policies={"load": judged(hafta.NORMAL_FAIL, hafta.ROLL_BACK_PREVIOUS)},
        first="undo load 4 {}, undo put 7 {}, put 1, undo open 0 {}",
    ),
    "a rollback function that fails before the inner call leaves that behind": Story(
        OUTER, {"load": at(4, "fail"), "undo load": ["call", "fail", "call"], "put": at(7, "die")}, "die", inner=INNER,
        first="undo load 4 {}, undo open 0 {}",
    ),
}  # fmt: skip


@stories(STORIES)
def test_sequences_inside_of_sequences(lives, story):
    story.check(lives)


@pytest.fixture
def nest(lives):
    """The outer sequence of most of these stories."""
    return Program(lives, *OUTER.split(), name="outer", inner=Program(lives, *INNER.split(), name="inner"))


def inside(lives):
    """Where the record stands: the nodes, innermost last."""
    return [one.node for one in lives.record("outer")]


def test_the_outer_node_has_its_checkpoint_and_state_again(lives, nest):
    seen = []
    nest.say("load", *[(lambda run: seen.append((run.recorded, run.state)), at(3, number=1), "call")] * 2)
    nest.inner.say("put", "die")
    lives.die(nest.sequence)
    assert [(one.sequence, one.node, one.doing) for one in lives.record("outer")] == [
        ("outer", "load", RUNS), ("inner", "put", RUNS),
    ]  # fmt: skip
    assert lives.run(nest.sequence)
    assert seen == [(0, {}), (3, {"number": 1})]
    assert [event.sequence for event in lives.events("resumed")] == ["outer", "inner"]


def test_an_inner_sequence_called_in_a_loop_goes_on_where_the_loop_was(lives, nest):
    done = []

    def loop(run):
        for number in range(run.state.get("number", 0), 4):
            run.checkpoint(1, number=number)
            run.call(nest.inner.sequence)
            done.append(number)

    nest.say("load", loop, loop, loop).inner.say("get", None, None, "die", None, "die")
    lives.ends(nest.sequence, "die", "die")
    assert lives.run(nest.sequence)
    assert done == [0, 1, 2, 3]
    assert lives.said.count(("undo get", 0, {})) == 2
    assert not [said for said in lives.said if said[0] == "undo load"]


def test_an_outer_node_that_skips_by_its_state_may_call_two_sequences(lives, nest):
    other = Program(lives, "prepare", name="other")
    prepare = lambda run: run.state.get("prepared") or (run.call(other.sequence), run.checkpoint(1, prepared=True))
    nest.say("load", *[(prepare, "call")] * 2).inner.say("put", "die")
    lives.die(nest.sequence)
    lives.said.clear()
    assert lives.run(nest.sequence)
    assert lives.told == "load 0, undo put 0 {}, put 1, close 0"


def test_what_a_node_that_runs_again_calls_is_not_recorded(lives):
    helper = Program(lives, "help", name="helper", does={"help": [None, (at(1, x=1), "die")]})
    nest = Program(lives, "open", "load", name="outer", inner=Program(lives, "put", name="inner"))
    nest.say("open", *[lambda run: run.call(helper.sequence) and None] * 3).say("load", *["call"] * 3)
    nest.inner.say("put", at(7, "die"))
    lives.ends(nest.sequence, "die", "die")
    assert inside(lives) == ["load", "put"]
    assert lives.run(nest.sequence)
    assert lives.told.endswith("undo put 7 {}, put 1")


def test_what_a_policy_calls_is_not_recorded(lives, nest):
    def policy(run, event):
        if event.kind is not hafta.INTERRUPTED:
            run.call(nest.inner.sequence)
        return hafta.default_policy(run, event)

    nest.sequence.nodes["load"].policy(policy)
    nest.inner.say("put", at(7, "die"))
    lives.die(nest.sequence)
    assert inside(lives) == ["load"]
    assert lives.run(nest.sequence)
    assert ("undo load", 0, {}) in lives.said


def test_an_inner_call_without_run_is_not_recorded(lives, nest):
    nest.say("load", lambda _run: nest.inner.sequence.call(runtime=lives.runtime) and None)
    nest.inner.say("put", "die")
    lives.die(nest.sequence)
    assert inside(lives) == ["load"]


def test_the_outer_node_may_set_checkpoints_from_inside_of_the_inner_one(lives, nest):
    runs = []
    nest.say("load", (runs.append, "call"), (lambda run: lives.said.append((run.state,)), "call"))
    nest.inner.say("put", (at(7, mine=1), lambda _run: runs[0].checkpoint(2, total=5), "die"))
    lives.die(nest.sequence)
    lives.said.clear()
    assert lives.run(nest.sequence)
    assert lives.told == "load 0, total=5, undo put 7 mine=1, put 1, close 0"


def test_a_checkpoint_of_a_call_that_is_over_changes_nothing(lives, nest):
    runs = []
    nest.say("load", "call").inner.say("put", runs.append)
    nest.say("close", lambda _run: runs[0].checkpoint(9, late=True))
    assert lives.run(nest.sequence)
    assert lives.record("outer") == ()


def async_pair(work, both):
    """Return an outer sequence whose node `both(run, inner)` calls an inner one, whose node is `work`."""
    inner, outer = hafta.Sequence("inner"), hafta.Sequence("outer")

    async def call(run):
        await both(run, inner)
        return hafta.EXIT

    inner.node(work)
    outer.node(call)
    return outer


async def slow(run):
    await asyncio.sleep(100)
    return hafta.EXIT


def test_two_inner_sequences_at_once_are_a_mistake_of_the_program():
    outer, runtime = (
        async_pair(slow, lambda run, inner: asyncio.gather(run.call(inner), run.call(inner))),
        FakeRuntime(),
    )
    with pytest.raises(hafta.IllegalMove, match="inner is called while inner runs in the same durable call"):
        runtime.run_async(outer.call_async(runtime=runtime, checkpoints=hafta.Checkpoints(MemoryStore())))
    assert runtime.run_async(outer.call_async(runtime=runtime))


def test_a_cancelled_inner_call_leaves_a_whole_record_behind():
    tries = []

    async def impatient(run, inner):
        tries.append(run.attempt)
        if len(tries) == 1:
            await asyncio.wait_for(run.call(inner), 1)

    lives = Lives(MemoryStore(), asynchronous=True)
    assert lives.run(async_pair(slow, impatient))
    assert tries == [0, 1]
    assert lives.record("outer") == ()


def test_an_inner_sequence_of_the_other_kind_resumes_too(lives):
    said = []

    async def put(run):
        said.append(run.attempt)
        run.checkpoint(1, path="/a")
        if len(said) == 1:
            raise Died
        return hafta.EXIT

    async def undo(run, checkpoint):
        said.append((checkpoint, run.state))

    inner, outer = hafta.Sequence("inner"), async_pair(put, lambda run, _inner: run.call(inner))
    inner.node(put).rollback(undo)
    if not lives.asynchronous:
        outer = hafta.Sequence("outer")
        outer.node(name="load")(lambda run: run.call(inner) and hafta.EXIT)
    lives.die(outer)
    assert lives.run(outer)
    assert said == [0, (1, {"path": "/a"}), 1]
