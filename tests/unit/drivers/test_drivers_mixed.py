"""Plain functions inside of asyncio, and sequences inside of sequences, in all combinations."""

import asyncio

import pytest

import hafta
from hafta.policies import FailSequence
from hafta.testing import FakeRuntime


def run_it(sequence, runtime, data=None):
    """Call it in whatever way fits it."""
    if sequence.is_async:
        return runtime.run_async(sequence.call_async(data, runtime=runtime))
    return sequence.call(data, runtime=runtime)


def run_in_asyncio(sequence, runtime):
    return runtime.run_async(sequence.call_async(runtime=runtime))


def make_inner(asynchronous, fails):
    inner = hafta.Sequence("inner")

    def plain(run):
        run.sleep(3)
        return run.fail("inner trouble") if fails else hafta.EXIT

    async def coroutine(run):
        await run.sleep(3)
        return run.fail("inner trouble") if fails else hafta.EXIT

    inner.node(name="deep", policy=lambda run, event: hafta.FAIL_SEQUENCE if fails else hafta.EXIT)(
        coroutine if asynchronous else plain
    )
    return inner


def make_outer(asynchronous, inner):
    outer = hafta.Sequence("outer")

    def plain(run):
        run.data.append(run.call(inner))
        return hafta.EXIT

    async def coroutine(run):
        run.data.append(await run.call(inner))
        return hafta.EXIT

    outer.node(name="caller")(coroutine if asynchronous else plain)
    return outer


@pytest.mark.parametrize("outer_async", [False, True])
@pytest.mark.parametrize("inner_async", [False, True])
def test_a_sequence_calls_another_of_either_kind(outer_async, inner_async):
    outer, runtime, results = make_outer(outer_async, make_inner(inner_async, fails=False)), FakeRuntime(), []
    assert run_it(outer, runtime, results)
    assert [str(result) for result in results] == ["inner succeeded"]
    assert runtime.slept == [3]
    assert runtime.clock == 3


@pytest.mark.parametrize("outer_async", [False, True])
@pytest.mark.parametrize("inner_async", [False, True])
def test_the_failure_of_an_inner_sequence_is_the_failure_of_the_outer_node(outer_async, inner_async):
    outer, runtime = make_outer(outer_async, make_inner(inner_async, fails=True)), FakeRuntime()
    result = run_it(outer, runtime, [])
    assert isinstance(result.reason, hafta.Result)
    assert (result.reason.sequence, result.reason.node, result.reason.reason) == ("inner", "deep", "inner trouble")
    assert str(result) == (
        "outer failed at node caller, attempt 5: inner failed at node deep, attempt 1: inner trouble"
    )
    assert runtime.slept == [3] * 5


def test_an_inner_sequence_that_is_called_without_run_has_the_runtime_of_the_outer_one():
    inner, runtime, outer = make_inner(asynchronous=False, fails=False), FakeRuntime(), hafta.Sequence("outer")

    @outer.node
    def caller(run):
        return hafta.EXIT if inner.call() else None

    assert outer.call(runtime=runtime)
    assert runtime.slept == [3]
    assert runtime.progresses >= 1


def test_an_awaited_inner_sequence_without_run_has_the_runtime_of_the_outer_one():
    inner, runtime, outer = make_inner(asynchronous=True, fails=False), FakeRuntime(), hafta.Sequence("outer")

    @outer.node
    async def caller(run):
        return hafta.EXIT if await inner.call_async() else None

    assert runtime.run_async(outer.call_async(runtime=runtime))
    assert runtime.slept == [3]


def test_a_result_that_is_looked_at_instead_of_checked_does_not_fail_the_outer_node():
    inner, outer = make_inner(asynchronous=False, fails=True), hafta.Sequence("outer")

    @outer.node
    def caller(run):
        return hafta.EXIT if not inner.call() else None

    assert outer.call(runtime=FakeRuntime())


def test_plain_functions_wait_in_asyncio_as_they_do_without():
    sequence = hafta.Sequence("mixed")

    @sequence.node
    async def first(run):
        await run.sleep(1)
        return second

    @sequence.node
    def second(run):
        run.sleep(2)
        if run.attempt == 0:
            raise ValueError("once")
        return hafta.EXIT

    @second.rollback
    def _(run, checkpoint):
        run.sleep(4)

    @second.policy
    def _(run, event):
        run.sleep(8)
        return hafta.default_policy(run, event)

    runtime = FakeRuntime()
    assert run_it(sequence, runtime)
    assert runtime.slept == [1, 2, 8, 4, 8, 2, 8]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_plain_function_raises_is_the_reason_in_asyncio_too(asynchronous):
    """Even a StopIteration, which cannot leave a coroutine."""
    sequence = hafta.Sequence("empty")
    runtime = FakeRuntime()

    @sequence.node(policy=FailSequence())
    def work(run):
        return next(iter(()))

    @work.rollback
    def _(run, checkpoint):
        next(iter(()))

    call = run_in_asyncio if asynchronous else hafta.Sequence.call
    result = call(sequence, runtime=runtime)
    assert [type(failure.reason) for failure in result.history] == [StopIteration, StopIteration]


def test_async_functions_await_after_plain_ones():
    sequence = hafta.Sequence("mixed")

    @sequence.node
    def first(run):
        run.sleep(1)
        return second

    @sequence.node
    async def second(run):
        await run.sleep(2)
        if run.attempt == 0:
            raise ValueError("once")
        return hafta.EXIT

    @second.rollback
    async def _(run, checkpoint):
        await run.sleep(4)

    @second.policy
    async def _(run, event):
        await run.sleep(8)
        return hafta.default_policy(run, event)

    runtime = FakeRuntime()
    assert run_it(sequence, runtime)
    assert runtime.slept == [1, 2, 8, 4, 8, 2, 8]


def test_a_plain_wrapper_around_an_async_function_works_in_asyncio():
    sequence = hafta.Sequence("wrapped")

    async def real(run):
        await run.sleep(2)
        return hafta.EXIT

    @sequence.node
    def work(run):
        return real(run)

    runtime = FakeRuntime()
    assert runtime.run_async(sequence.call_async(runtime=runtime))
    assert runtime.slept == [2]


def test_a_plain_wrapper_around_an_async_function_is_refused_without_asyncio():
    sequence = hafta.Sequence("wrapped")

    async def real(run):
        return hafta.EXIT

    @sequence.node
    def work(run):
        return real(run)

    with pytest.raises(hafta.IllegalMove, match=r"^node work is asynchronous$") as caught:
        sequence.call(runtime=FakeRuntime())
    assert caught.value.hint == "call the sequence with `await sequence.call_async()`"


def test_an_asynchronous_sequence_called_without_await_in_a_loop_says_what_to_do():
    inner = make_inner(asynchronous=True, fails=False)

    async def main():
        inner.call()

    with pytest.raises(hafta.IllegalMove, match=r"^sequence inner is asynchronous$") as caught:
        asyncio.run(main())
    assert caught.value.hint == "await sequence.call_async()"


def test_a_plain_node_that_calls_an_asynchronous_sequence_in_a_loop_is_told_to_be_async():
    inner, outer = make_inner(asynchronous=True, fails=False), hafta.Sequence("outer")

    @outer.node
    def work(run):
        run.call(inner)

    with pytest.raises(hafta.IllegalMove, match=r"^sequence inner is asynchronous$") as caught:
        FakeRuntime().run_async(outer.call_async())
    assert caught.value.hint == "make node work `async def`, and await run.call()"


def test_tasks_with_sequences_of_their_own_share_the_loop():
    sequence = hafta.Sequence("ticker")

    @sequence.node
    async def tick(run):
        for _ in range(3):
            await run.sleep(run.data)
        return hafta.EXIT

    runtime = FakeRuntime()

    async def main():
        return await asyncio.gather(*(sequence.call_async(period, runtime=runtime) for period in (1, 2, 5)))

    assert all(runtime.run_async(main()))
    assert runtime.clock == 15
    assert runtime.describers == []
