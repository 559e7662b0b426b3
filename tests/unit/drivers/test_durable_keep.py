"""What `keep=` promises: values change with the success of the function that changed them, and not twice."""

import asyncio

import pytest

import hafta
from hafta import EXIT, Sequence
from hafta.durable.codec import position
from hafta.engine.resume import ENDED
from hafta.errors import StoreError
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime, crash_everywhere


class Died(BaseException):
    """The process is gone: nothing more is recorded."""


def kept_by(sequence, store, kept, data=None, **how):
    """Call it with its values kept in the store; what it does is done to them, if not to `data`."""
    checkpoints = hafta.Checkpoints(store, keep=kept)
    return sequence.call(kept if data is None else data, checkpoints=checkpoints, runtime=FakeRuntime(), **how)


def counting(steps, die_at=None):
    """Return a sequence that counts its steps in `data`, and dies in one of them."""
    sequence = Sequence("counting")

    @sequence.node
    def first(run):
        run.data["first"] = run.data.get("first", 0) + 1
        return count

    @sequence.node
    def count(run):
        for step in range(steps):
            run.checkpoint(1, step=step)
            if step == die_at:
                raise Died
            run.data["steps"] = run.data.get("steps", 0) + 1
        return EXIT

    return sequence


def outer(steps, die_at=None):
    """Return a sequence whose node calls that one."""
    sequence, inner = Sequence("outer"), counting(steps, die_at)
    sequence.node(name="work")(lambda run: run.call(inner, run.data) and EXIT)
    return sequence


@pytest.mark.parametrize("build", [counting, outer])
def test_values_are_there_again_after_the_process_died_also_in_an_inner_sequence(build):
    store, again = MemoryStore(), {"note": "made before the call"}
    with pytest.raises(Died):
        kept_by(build(5, die_at=3), store, {})
    assert kept_by(build(5), store, again)
    assert again == {"note": "made before the call", "first": 1, "steps": 5}


def test_values_outlive_a_call_that_has_ended():
    store = MemoryStore()
    for calls in (1, 2, 3):
        kept = {}
        assert kept_by(counting(2), store, kept)
        assert kept == {"first": calls, "steps": 2 * calls}


def test_a_call_after_one_that_has_ended_begins_from_the_beginning():
    store, kept, undone = MemoryStore(), {}, []
    sequence = counting(2)
    for node in sequence.nodes.values():
        node.rollback(lambda run, _checkpoint: undone.append(run.node))
    kept_by(sequence, store, kept)
    saved = store.peek("counting").saved
    (one,) = position(saved.frame, saved.body).sequences
    assert (one.doing, one.node, one.stack, one.checkpoint) == (ENDED, "count", (), 0)
    assert one.kept == {"first": 1, "steps": 2}
    assert kept_by(sequence, store, kept)
    assert undone == []


def test_values_do_not_show_in_the_state_of_a_node():
    store, states, kept = MemoryStore(), [], {"steps": 100}
    with pytest.raises(Died):
        kept_by(counting(5, die_at=3), store, kept)
    again = counting(5)
    again.nodes["count"].rollback(lambda run, _checkpoint: states.append(run.state))
    kept_by(again, store, kept)
    assert states == [{"step": 3}]


def test_nothing_kept_leaves_nothing_to_resume():
    store = MemoryStore()
    assert kept_by(counting(1), store, {}, data={})
    assert store.peek("counting").saved is None


@pytest.mark.parametrize(
    ("kept", "later", "message"),
    [
        ({"socket": object()}, {}, "keep.socket: a value of type object cannot be recorded"),
        ({}, {3: "three"}, "keep: the key 3 is not a str"),
    ],
)
def test_what_cannot_be_recorded_is_a_mistake_of_the_program_also_later(kept, later, message):
    sequence = Sequence("counting")
    sequence.node(name="work")(lambda run: kept.update(later) or EXIT)
    with pytest.raises(StoreError) as caught:
        sequence.call(checkpoints=hafta.Checkpoints(MemoryStore(), on_error="go on", keep=kept))
    assert (caught.value.kind, caught.value.message) == ("value", message)


def test_the_asyncio_driver_keeps_them_too():
    store, sequence = MemoryStore(), Sequence("counting")

    @sequence.node
    async def work(run):
        run.data["calls"] = run.data.get("calls", 0) + 1
        await run.sleep(0)
        return EXIT

    for calls in (1, 2):
        kept = {}
        assert asyncio.run(sequence.call_async(kept, checkpoints=hafta.Checkpoints(store, keep=kept)))
        assert kept == {"calls": calls}


def trying(*answers, undo=None, policy=None):
    """A sequence of one node that adds one to `n` and to a list, and answers these, one run after the other."""
    sequence, left = Sequence("trying"), list(answers)

    @sequence.node(durable=True)
    def add(run):
        run.data["n"] += 1
        run.data["many"].append(run.data["n"])
        run.checkpoint(1)
        answer = left.pop(0) if left else EXIT
        if isinstance(answer, BaseException):
            raise answer
        return answer

    if undo is not None:
        add.rollback(undo)
    if policy is not None:
        add.policy(policy)
    return sequence


def count(run, _checkpoint):
    run.data["undone"] = run.data.get("undone", 0) + 1
    run.checkpoint(2)


def new():
    return {"n": 0, "many": []}


@pytest.mark.parametrize("failures", [1, 3])
def test_what_a_function_that_fails_has_changed_is_taken_back(failures):
    kept = new()
    assert kept_by(trying(*[ValueError("no")] * failures, undo=count), MemoryStore(), kept)
    assert kept == {"n": 1, "many": [1], "undone": failures}


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(0), Died()])
def test_what_was_changed_before_a_stop_or_a_death_is_changed_once(stop):
    store, kept, again = MemoryStore(), new(), new()
    with pytest.raises(type(stop)):
        kept_by(trying(stop, undo=count), store, kept)
    assert kept == new()
    assert kept_by(trying(undo=count), store, again)
    assert again == {"n": 1, "many": [1], "undone": 1}


def test_a_success_that_the_policy_refuses_changes_nothing():
    kept, asked = new(), []

    def once(run, event):
        asked.append(event.kind)
        if event.kind is hafta.NORMAL_SUCCESS and len(asked) == 1:
            return hafta.ROLL_BACK_CURRENT
        return hafta.default_policy(run, event)

    assert kept_by(trying(policy=once), MemoryStore(), kept)
    assert kept == {"n": 1, "many": [1]}


def test_a_rollback_function_that_fails_has_changed_nothing():
    kept = new()

    def undo(run, checkpoint):
        count(run, checkpoint)
        raise OSError("cannot undo")

    assert not kept_by(trying(ValueError("no"), undo=undo), MemoryStore(), kept)
    assert kept == new()


def test_a_local_node_that_runs_again_has_counted_already():
    store, again, deaths = MemoryStore(), new(), [Died()]
    sequence = Sequence("line")

    @sequence.node
    def opened(run):
        run.data["n"] += 1
        return work

    @sequence.node
    def work(run):
        for death in deaths:
            raise death
        return EXIT

    with pytest.raises(Died):
        kept_by(sequence, store, new())
    deaths.clear()
    assert kept_by(sequence, store, again)
    assert again == {"n": 1, "many": []}


@pytest.mark.parametrize("calls_inner", [False, True])
def test_wherever_a_process_dies_or_is_stopped_each_success_counts_once(calls_inner):
    """Also what an outer function changes before it calls an inner sequence: it runs again from its beginning."""
    seen = []

    def build(_world):
        sequence, inner = Sequence("outer"), Sequence("inner")
        adds = lambda run, name: run.data.update({name: run.data.get(name, 0) + 1})
        inner.node(name="add", durable=True)(
            lambda run: (run.checkpoint(1), adds(run, "inner"), run.progress(), EXIT)[-1]
        )

        @sequence.node(durable=True)
        def first(run):
            adds(run, "first")
            run.checkpoint(1)
            return second

        @sequence.node(durable=True)
        def second(run):
            adds(run, "before")
            if calls_inner:
                run.call(inner, run.data)
            adds(run, "after")
            run.progress()
            return third

        third = sequence.node(name="third", durable=True)(lambda run: run.data.update(all=dict(run.data)) or EXIT)
        return sequence

    def call(sequence, data, **how):
        result = sequence.call(data, **how)
        assert result
        seen.append(data["all"])
        return result

    report = crash_everywhere(
        build, data=lambda _world: {}, call=call, checkpoints=lambda store, data: hafta.Checkpoints(store, keep=data)
    )
    # All the same: once; or twice, where the end had been recorded when the process died, and the next began again.
    counts = [{value for value in kept.values() if isinstance(value, int)} for kept in seen]
    assert [count for count in counts if count not in ({1}, {2})] == []
    assert counts.count({1}) >= report.cuts - 1
