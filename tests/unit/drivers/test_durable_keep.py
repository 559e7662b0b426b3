"""What the caller keeps: values that outlive visits, calls and processes."""

import pytest

from hafta import EXIT, Sequence
from hafta.errors import StoreError
from hafta.stores import MemoryStore
from hafta.stores.codec import position


class Died(BaseException):
    """The process is gone: nothing more is recorded."""


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


def test_values_are_there_again_after_the_process_died():
    store, kept = MemoryStore(), {}
    with pytest.raises(Died):
        counting(5, die_at=3).call(kept, store=store, keep=kept)
    again = {"note": "made before the call"}
    counting(5).call(again, store=store, keep=again)
    assert again == {"note": "made before the call", "first": 2, "steps": 3 + 5}


def test_values_outlive_a_call_that_has_ended():
    store = MemoryStore()
    for calls in (1, 2, 3):
        kept = {}
        assert counting(2).call(kept, store=store, keep=kept)
        assert kept == {"first": calls, "steps": 2 * calls}


def test_a_call_after_one_that_has_ended_begins_anew():
    store, kept = MemoryStore(), {}
    sequence = counting(2)
    sequence.call(kept, store=store, keep=kept)
    saved = store.peek("counting").saved
    (level,) = position(saved.frame, saved.body).levels
    assert (level.phase, level.node, level.stack, level.checkpoint) == ("ended", "count", (), 0)
    seen = []
    sequence.nodes["first"].rollback_function = lambda _run, _checkpoint: seen.append("first")
    sequence.nodes["count"].rollback_function = lambda _run, _checkpoint: seen.append("count")
    assert sequence.call(kept, store=store, keep=kept)
    assert seen == []


def test_values_do_not_show_in_the_state_of_a_node():
    store, states = MemoryStore(), []
    sequence = counting(5, die_at=3)

    @sequence.nodes["count"].rollback
    def undo(run, _checkpoint):
        states.append(run.state)

    kept = {"steps": 100}
    with pytest.raises(Died):
        sequence.call(kept, store=store, keep=kept)
    counting_again = counting(5)
    counting_again.nodes["count"].rollback_function = undo
    counting_again.call(kept, store=store, keep=kept)
    assert states == [{"step": 3}]


def test_values_of_the_outer_call_outlive_a_death_in_an_inner_sequence():
    store = MemoryStore()

    def outer(die_at):
        sequence, inner = Sequence("outer"), counting(4, die_at=die_at)

        @sequence.node
        def work(run):
            run.call(inner, run.data)
            return EXIT

        return sequence

    kept, again = {}, {}
    with pytest.raises(Died):
        outer(2).call(kept, store=store, keep=kept)
    assert outer(None).call(again, store=store, keep=again)
    assert again == {"first": 2, "steps": 2 + 4}


def test_without_a_store_the_dict_is_only_the_callers():
    kept = {"steps": 1}
    assert counting(2).call(kept, keep=kept)
    assert kept == {"steps": 3, "first": 1}


def test_nothing_kept_leaves_nothing_to_resume():
    store = MemoryStore()
    assert counting(1).call({}, store=store, keep={})
    assert store.peek("counting").saved is None


def test_a_value_that_cannot_be_recorded_is_a_mistake_of_the_program():
    kept = {"socket": object()}
    with pytest.raises(StoreError) as caught:
        counting(1).call({}, store=MemoryStore(), keep=kept, on_store_error="go on")
    assert caught.value.kind == "value"
    assert "socket: a object cannot be recorded" in caught.value.message


def test_a_name_that_is_none_is_a_mistake_of_the_program_also_later():
    sequence, kept = Sequence("counting"), {}

    @sequence.node
    def work(run):
        kept[3] = "three"
        return EXIT

    with pytest.raises(StoreError) as caught:
        sequence.call(store=MemoryStore(), keep=kept)
    assert (caught.value.kind, caught.value.message) == ("value", "3: a key is a str")


async def values_in_asyncio(store):
    sequence, kept = Sequence("counting"), {}

    @sequence.node
    async def work(run):
        kept["calls"] = kept.get("calls", 0) + 1
        await run.sleep(0)
        return EXIT

    await sequence.call_async(store=store, keep=kept)
    return kept


def test_the_asyncio_driver_keeps_them_too():
    import asyncio

    store = MemoryStore()
    assert asyncio.run(values_in_asyncio(store)) == {"calls": 1}
    assert asyncio.run(values_in_asyncio(store)) == {"calls": 2}
