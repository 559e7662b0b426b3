"""Who asked tells a cancellation of the call from one of something that a node waits for: only the first is a stop."""

import asyncio
import concurrent.futures
from itertools import pairwise

import pytest

import hafta
from hafta.durable.codec import position
from hafta.stores import MemoryStore
from hafta.testing import FakeRuntime


def foreign():
    """A future that somebody else cancels after 0.2 s."""
    inner = asyncio.ensure_future(asyncio.sleep(30))
    asyncio.get_running_loop().call_later(0.2, inner.cancel)
    return inner


async def awaited():
    await foreign()


async def shielded():
    await asyncio.shield(foreign())


async def in_a_timeout():
    async with asyncio.timeout(5):
        await foreign()


async def waited_for():
    await asyncio.wait_for(foreign(), 5)


async def gathered():
    await asyncio.gather(foreign(), asyncio.sleep(1))


async def in_a_group():
    async with asyncio.TaskGroup():
        await foreign()


async def after_a_timeout_of_its_own():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.sleep(30)
    await foreign()


async def of_another_loop_or_thread():
    future = concurrent.futures.Future()
    asyncio.get_running_loop().call_later(0.2, future.cancel)
    await asyncio.wrap_future(future)


async def raised():
    raise asyncio.CancelledError


async def while_it_cleans_up():
    try:
        raise OSError(5, "broken")
    finally:
        await foreign()


WAYS = [
    awaited, shielded, in_a_timeout, waited_for, gathered, in_a_group, after_a_timeout_of_its_own,
    of_another_loop_or_thread, raised, while_it_cleans_up,
]  # fmt: skip


def failing_once(function, *, timeout=None, rolling_back=False):
    """A sequence whose node fails by this the first time; and what its functions did."""
    sequence, steps, ways = hafta.Sequence("foreign"), [], [function]

    @sequence.node(timeout=timeout)
    async def work(run):
        steps.append(("work", run.attempt))
        if rolling_back and len(steps) == 1:
            return run.fail("broken")
        if ways and not rolling_back:
            await ways.pop()()
        return hafta.EXIT

    @work.rollback
    async def _(run, checkpoint):
        steps.append(("rollback", type(run.reason).__name__))
        if ways and rolling_back:
            await ways.pop()()
        return work

    @work.policy
    def _(run, event):
        return work_again if event.kind is hafta.ROLLBACK_FAIL else hafta.default_policy(run, event)

    work_again = hafta.proceed(work)
    return sequence, steps


@pytest.mark.parametrize("checkpoints", [None, MemoryStore], ids=["unrecorded", "recorded"])
@pytest.mark.parametrize("timeout", [None, 10])
@pytest.mark.parametrize("way", WAYS)
def test_what_somebody_else_has_cancelled_is_a_failure_of_the_node_that_waits_for_it(way, timeout, checkpoints):
    sequence, steps = failing_once(way, timeout=timeout)
    runtime = FakeRuntime()
    recorded = checkpoints and hafta.Checkpoints(checkpoints())
    assert runtime.run_async(sequence.call_async(runtime=runtime, checkpoints=recorded))
    assert steps == [("work", 0), ("rollback", "CancelledError"), ("work", 1)]


@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_in_a_rollback_function(way):
    sequence, steps = failing_once(way, rolling_back=True)
    runtime = FakeRuntime()
    result = runtime.run_async(sequence.call_async(runtime=runtime))
    assert result
    assert [failure.kind for failure in result.history] == [hafta.NORMAL_FAIL, hafta.ROLLBACK_FAIL]
    assert [step for step, _ in steps] == ["work", "rollback", "work"]


@pytest.mark.parametrize("way", WAYS)
def test_so_it_is_in_an_inner_sequence_whatever_is_around_it(way):
    inner, steps = failing_once(way)
    outer = hafta.Sequence("outer")

    @outer.node
    async def call(run):
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            await asyncio.shield(group.create_task(run.call(inner)))
        return hafta.EXIT

    runtime = FakeRuntime()
    assert runtime.run_async(outer.call_async(runtime=runtime))
    assert steps == [("work", 0), ("rollback", "CancelledError"), ("work", 1)]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_cancellation_that_a_synchronous_function_raises_is_its_failure(asynchronous):
    sequence, steps = hafta.Sequence("plain"), []

    @sequence.node
    def work(run):
        steps.append(run.attempt)
        if not run.attempt:
            raise asyncio.CancelledError
        return hafta.EXIT

    runtime = FakeRuntime()
    if asynchronous:
        assert runtime.run_async(sequence.call_async(runtime=runtime))
    else:
        assert sequence.call(runtime=runtime)
    assert steps == [0, 1]


def chain():
    """Nodes that wait in all of their functions, one of them in an inner sequence."""
    inner, outer, steps = hafta.Sequence("inner"), hafta.Sequence("outer"), []

    def add(sequence, name, following, *, call=None):
        @sequence.node(name=name, durable=True)
        async def normal(run):
            steps.append(name)
            run.checkpoint(1)
            await run.sleep(1)
            if call is not None:
                await run.call(call)
            if steps.count(name) == 1:
                return run.fail("the first time")
            return following

        @normal.rollback
        async def rollback(run, checkpoint):
            assert checkpoint == 1
            steps.append(f"undo {name}")
            await asyncio.sleep(1)

        @normal.policy
        async def policy(run, event):
            await asyncio.sleep(1)
            return hafta.default_policy(run, event).after(1)

    add(inner, "put", "check")
    add(inner, "check", hafta.EXIT)
    add(outer, "load", "last", call=inner)
    add(outer, "last", hafta.EXIT)
    return outer, steps


async def cancel_after(seconds, sequence, store, runtime):
    """Cancel the call after this time. Returns whether it was cancelled before it came to its end."""
    task = asyncio.ensure_future(sequence.call_async(checkpoints=hafta.Checkpoints(store), runtime=runtime))
    await asyncio.sleep(seconds)
    was = task.cancel()
    await asyncio.wait([task])
    assert task.cancelled() == was
    return was


def begun_twice(name, steps):
    """Tell whether a node has begun twice with nothing undone in between."""
    only = [step for step in steps if step in {name, f"undo {name}", "undo load"}]  # which undoes the inner ones, too
    return (name, name) in pairwise(only)


@pytest.mark.parametrize("seconds", range(40))
def test_a_task_that_is_cancelled_in_any_await_is_resumed_and_nothing_is_counted(seconds):
    sequence, steps = chain()
    store, runtime = MemoryStore(), FakeRuntime()
    if runtime.run_async(cancel_after(seconds + 0.5, sequence, store, runtime)):
        saved = store.peek("outer").saved
        assert saved is None or position(saved.frame, saved.body).sequences[-1].doing.stopped
        runtime = FakeRuntime()
        assert runtime.run_async(sequence.call_async(checkpoints=hafta.Checkpoints(store), runtime=runtime))
    assert [name for name in ("put", "check", "last") if begun_twice(name, steps)] == []
    assert max(step.attempt for step in runtime.steps) <= 1
