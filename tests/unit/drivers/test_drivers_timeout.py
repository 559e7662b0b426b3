"""timeout= of a node: asyncio cancels it; a synchronous function's waits end in time."""

import asyncio
import os
import time

import pytest

import hafta
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


@pytest.fixture
def silent_pipe():
    """The reading end of a pipe in which nothing ever arrives."""
    reader, writer = os.pipe()
    yield reader
    os.close(reader)
    os.close(writer)


def one_shot(function, timeout, **kwargs):
    """A sequence of one node that fails for good at its first failure."""
    sequence = hafta.Sequence("timed")
    node = sequence.node(name="work", timeout=timeout, **kwargs)(function)
    node.policy(lambda run, event: hafta.FAIL_SEQUENCE if event.kind is hafta.NORMAL_FAIL else hafta.EXIT)
    return sequence


def test_an_async_node_that_takes_too_long_is_cancelled_and_the_reason_says_so():
    seen = []

    async def work(run):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    runtime = FakeRuntime()
    result = runtime.run_async(one_shot(work, 1.5).call_async(runtime=runtime))
    assert str(result) == "timed failed at node work, attempt 1: NodeTimeout: node work took longer than its 1.5 s"
    assert result.reason.hint == "raise its timeout= or make it quicker"
    assert seen == ["cancelled"]
    assert runtime.clock == 1.5


def test_a_timeout_error_of_the_nodes_own_is_not_taken_for_the_nodes_timeout():
    mine = TimeoutError("the peer did not answer")

    async def work(run):
        raise mine

    runtime = FakeRuntime()
    assert runtime.run_async(one_shot(work, 60).call_async(runtime=runtime)).reason is mine


def test_an_inner_asyncio_timeout_of_the_node_stays_its_own():
    async def work(run):
        async with asyncio.timeout(1):
            await asyncio.sleep(5)

    runtime = FakeRuntime()
    result = runtime.run_async(one_shot(work, 60).call_async(runtime=runtime))
    assert type(result.reason) is TimeoutError
    assert runtime.clock == 1


def test_a_timed_out_node_is_rolled_back_from_its_checkpoint_and_tried_again():
    sequence = hafta.Sequence("timed")
    undone = []

    @sequence.node(timeout=2)
    async def work(run):
        run.checkpoint(3)
        await asyncio.sleep(1 if undone else 5)
        return hafta.EXIT

    @work.rollback
    async def _(run, checkpoint):
        undone.append((checkpoint, type(run.reason).__name__))
        await asyncio.sleep(10)  # undoing is not timed

    runtime = FakeRuntime()
    assert runtime.run_async(sequence.call_async(runtime=runtime))
    assert undone == [(3, "NodeTimeout")]
    assert runtime.clock == 2 + 10 + 1


@pytest.mark.parametrize("timeout", [None, 60])
def test_cancelling_the_task_from_outside_cancels_it_and_rolls_nothing_back(timeout):
    sequence = hafta.Sequence("cancelled")
    seen = []

    @sequence.node(timeout=timeout)
    async def work(run):
        try:
            await asyncio.sleep(30)
        finally:
            seen.append("left")

    @work.rollback
    async def _(run, checkpoint):
        seen.append("rolled back")

    runtime = FakeRuntime()

    async def main():
        task = asyncio.create_task(sequence.call_async(runtime=runtime))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert runtime.run_async(main())
    assert seen == ["left"]
    assert runtime.steps == runtime.events == runtime.describers == []


def cancelled_while(function, *, rolling_back=False):
    """Cancel a task in this function of a node, after 1 s: whether it was cancelled, and what its node did."""
    sequence, runtime, steps = hafta.Sequence("cancelled"), FakeRuntime(), []

    @sequence.node
    async def work(run):
        steps.append("work")
        if rolling_back:
            raise OSError("broken")
        await function()

    @work.rollback
    async def _(run, checkpoint):
        steps.append("rollback")
        await function()

    async def main():
        task = asyncio.create_task(sequence.call_async(runtime=runtime))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    return runtime.run_async(main()), steps


async def fails_to_clean_up():
    try:
        await asyncio.sleep(30)
    finally:
        raise ConnectionError("cannot say goodbye")


def test_a_cancelled_task_is_cancelled_also_where_its_clean_up_fails():
    assert cancelled_while(fails_to_clean_up) == (True, ["work"])
    assert cancelled_while(fails_to_clean_up, rolling_back=True) == (True, ["work", "rollback"])


def test_what_answers_a_cancellation_on_purpose_is_a_failure():
    async def answers():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise ConnectionError("not now") from None

    cancelled, steps = cancelled_while(answers)
    assert not cancelled
    assert steps[:3] == ["work", "rollback", "work"]


def test_the_timeout_of_an_older_library_that_cancels_the_task_for_it_is_a_failure():
    """As async_timeout and aiohttp did before Python 3.11: cancelled by themselves, and that is not taken back."""

    async def work(run):
        asyncio.current_task().cancel()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise TimeoutError("no answer")  # noqa: B904 - what they do

    result = one_shot(work, None).call(runtime=FakeRuntime())
    assert str(result.reason) == "no answer"


def test_the_timeout_of_an_outer_node_ends_an_inner_sequence_whose_clean_up_fails():
    inner, attempts = hafta.Sequence("inner"), []

    @inner.node
    async def deep(run):
        attempts.append(run.attempt)
        await fails_to_clean_up()

    async def work(run):
        await run.call(inner)

    result = one_shot(work, 1.5).call(runtime=FakeRuntime())
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert attempts == [0]


def test_a_function_that_swallows_the_cancellation_is_not_interrupted():
    async def work(run):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(2)
        return hafta.EXIT

    runtime = FakeRuntime()
    assert runtime.run_async(one_shot(work, 1.5).call_async(runtime=runtime))
    assert runtime.clock == 3.5


def test_a_synchronous_sleep_ends_when_the_nodes_time_is_up():
    runtime = FakeRuntime()
    result = one_shot(lambda run: run.sleep(60), 1.5).call(runtime=runtime)
    assert str(result.reason) == "node work took longer than its 1.5 s"
    assert runtime.slept == [1.5]


def test_a_synchronous_wait_ends_when_the_nodes_time_is_up(silent_pipe):
    runtime = FakeRuntime()
    result = one_shot(lambda run: run.wait(silent_pipe), 1.5).call(runtime=runtime)
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert runtime.clock == 1.5


def test_a_synchronous_wait_ends_in_time_on_the_real_clock(silent_pipe):
    began = time.monotonic()
    result = one_shot(lambda run: run.wait(silent_pipe, 60), 0.05).call(runtime=Runtime())
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert 0.05 <= time.monotonic() - began < 30


def test_a_wait_that_is_shorter_than_the_nodes_time_just_ends(silent_pipe):
    def work(run):
        assert run.wait(silent_pipe, 1) is False
        assert run.wait(silent_pipe, 0) is False
        run.sleep(1)
        return hafta.EXIT

    runtime = FakeRuntime()
    assert one_shot(work, 10).call(runtime=runtime)
    assert runtime.clock == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_wait_for_what_is_ready_says_so(asynchronous):
    reader, writer = os.pipe()

    def plain(run):
        return hafta.EXIT if run.wait(writer, 5, write=True) else None

    async def coroutine(run):
        return hafta.EXIT if await run.wait(writer, 5, write=True) else None

    assert one_shot(coroutine if asynchronous else plain, 10).call(runtime=FakeRuntime())
    os.close(reader)
    os.close(writer)


def test_a_poll_without_waiting_never_raises_however_late(silent_pipe):
    def work(run):
        run.runtime.clock += 100  # hard work, no waiting
        return hafta.EXIT if run.wait(silent_pipe, 0) is False else None

    assert one_shot(work, 10).call(runtime=FakeRuntime())


def test_an_async_node_that_only_yields_is_cancelled_in_time():
    async def work(run):
        while run.runtime.now() < began + 5:
            await run.sleep(0)

    runtime = Runtime(quiet=True)
    began = runtime.now()
    result = one_shot(work, 0.01).call(runtime=runtime)
    assert isinstance(result.reason, hafta.NodeTimeout)


def test_async_waits_of_a_timed_node_end_in_time(silent_pipe):
    async def work(run):
        await run.wait(silent_pipe)

    runtime = FakeRuntime()
    result = runtime.run_async(one_shot(work, 1.5).call_async(runtime=runtime))
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert runtime.clock == 1.5


@pytest.mark.parametrize("watched", [True, False])
def test_the_time_of_a_node_ends_with_it_and_the_next_one_may_wait(watched):
    sequence = hafta.Sequence("relay")

    @sequence.node(timeout=1)
    def quick(run):
        return slow

    @sequence.node
    def slow(run):
        run.sleep(5)
        return hafta.EXIT

    runtime = FakeRuntime()
    runtime.probe = runtime if watched else None
    assert str(sequence.call(runtime=runtime)) == "relay succeeded"
    assert runtime.slept == [5]


def test_a_policy_may_wait_though_the_nodes_time_is_up():
    sequence = hafta.Sequence("patient")

    @sequence.node(timeout=1)
    def work(run):
        run.sleep(5)

    @work.policy
    def _(run, event):
        run.sleep(3)
        return hafta.FAIL_SEQUENCE

    runtime = FakeRuntime()
    assert isinstance(sequence.call(runtime=runtime).reason, hafta.NodeTimeout)
    assert runtime.slept == [1, 3]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_more_than_no_time(timeout):
    with pytest.raises(ValueError, match=r"the timeout of node work is more than 0 seconds, not "):
        one_shot(lambda run: hafta.EXIT, timeout)
