"""Plain functions inside of asyncio, and sequences inside of sequences, in all combinations."""

import asyncio

import pytest

import hafta
from hafta.policies import Attempts
from hafta.testing import FakeRuntime


def run_it(sequence, runtime, data=None):
    """Call it in whatever way fits it."""
    if sequence.is_async:
        return runtime.run_async(sequence.call_async(data, runtime=runtime))
    return sequence.call(data, runtime=runtime)


def run_in_asyncio(sequence, runtime):
    return runtime.run_async(sequence.call_async(runtime=runtime))


def make_inner(asynchronous, fails):
    def end(run):
        return run.fail("inner trouble") if fails else hafta.EXIT

    async def wait(run):
        await run.sleep(3)
        return end(run)

    policy = lambda run, event: hafta.FAIL_SEQUENCE if fails else hafta.EXIT
    inner = hafta.Sequence("inner")
    inner.node(name="deep", policy=policy)(wait if asynchronous else lambda run: run.sleep(3) or end(run))
    return inner


def make_outer(asynchronous, inner):
    outer = hafta.Sequence("outer")

    async def wait(run):
        run.data.append(await run.call(inner))
        return hafta.EXIT

    outer.node(name="caller")(wait if asynchronous else lambda run: run.data.append(run.call(inner)) or hafta.EXIT)
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


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_inner_sequence_that_is_called_without_run_has_the_runtime_of_the_outer_one(asynchronous):
    inner, runtime, outer = make_inner(asynchronous, fails=False), FakeRuntime(), hafta.Sequence("outer")

    async def wait(run):
        return hafta.EXIT if await inner.call_async() else None

    outer.node(name="caller")(wait if asynchronous else lambda run: hafta.EXIT if inner.call() else None)
    assert run_it(outer, runtime)
    assert runtime.slept == [3]
    assert runtime.progresses >= 1


def test_a_result_that_is_looked_at_instead_of_checked_does_not_fail_the_outer_node():
    inner, outer = make_inner(asynchronous=False, fails=True), hafta.Sequence("outer")
    outer.node(name="caller")(lambda run: hafta.EXIT if not inner.call() else None)
    assert outer.call(runtime=FakeRuntime())


def plainly(seconds, then=lambda *_: None):
    def function(run, *args):
        run.sleep(seconds)
        return then(run, *args)

    return function


def awaiting(seconds, then=lambda *_: None):
    async def function(run, *args):
        await run.sleep(seconds)
        return then(run, *args)

    return function


@pytest.mark.parametrize(("one", "two"), [(awaiting, plainly), (plainly, awaiting)])
def test_plain_functions_wait_in_asyncio_as_they_do_without_and_async_ones_after_plain_ones(one, two):
    sequence, runtime = hafta.Sequence("mixed"), FakeRuntime()
    sequence.node(name="first")(one(1, lambda run: "second"))
    second = sequence.node(name="second")(two(2, lambda run: hafta.EXIT if run.attempt else run.fail("once")))
    second.rollback(two(4))
    second.policy(two(8, hafta.default_policy))
    assert run_it(sequence, runtime)
    assert runtime.slept == [1, 2, 8, 4, 8, 2, 8]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_a_plain_function_raises_is_the_reason_in_asyncio_too(asynchronous):
    """Even a StopIteration, which cannot leave a coroutine."""
    sequence = hafta.Sequence("empty")
    runtime = FakeRuntime()

    @sequence.node(policy=Attempts(1, then=hafta.FAIL_SEQUENCE))
    def work(run):
        return next(iter(()))

    @work.rollback
    def _(run, checkpoint):
        next(iter(()))

    call = run_in_asyncio if asynchronous else hafta.Sequence.call
    result = call(sequence, runtime=runtime)
    assert [type(failure.reason) for failure in result.history] == [StopIteration, StopIteration]


def test_a_plain_wrapper_around_an_async_function_works_in_asyncio_and_is_refused_without():
    sequence, runtime, real = hafta.Sequence("wrapped"), FakeRuntime(), awaiting(2, lambda run: hafta.EXIT)
    sequence.node(name="work")(lambda run: real(run))  # noqa: PLW0108 - the wrapper is what is tested
    assert run_in_asyncio(sequence, runtime)
    assert runtime.slept == [2]
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
