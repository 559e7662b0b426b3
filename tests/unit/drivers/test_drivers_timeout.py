"""timeout= of a node: asyncio cancels it; a synchronous function's waits end in time."""

import asyncio
import time

import pytest

import hafta
from hafta.runtime import Runtime
from hafta.testing import FakeRuntime


@pytest.fixture
def silent_pipe(pipe):
    """The reading end of a pipe in which nothing ever arrives."""
    return pipe[0]


def one_shot(function, timeout, **kwargs):
    """A sequence of one node that fails for good at its first failure."""
    sequence = hafta.Sequence("timed")
    node = sequence.node(name="work", timeout=timeout, **kwargs)(function)
    node.policy(lambda run, event: hafta.FAIL_SEQUENCE if event.kind is hafta.NORMAL_FAIL else hafta.EXIT)
    return sequence


def timed(function, timeout, runtime=None):
    """Call it; return its result, and the seconds that it took on the fake clock."""
    runtime = runtime or FakeRuntime()
    return one_shot(function, timeout).call(runtime=runtime), runtime.clock


def test_an_async_node_that_takes_too_long_is_cancelled_and_the_reason_says_so():
    seen = []

    async def work(run):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    result, seconds = timed(work, 1.5)
    assert str(result) == "timed failed at node work, attempt 1: NodeTimeout: node work took longer than its 1.5 s"
    assert result.reason.hint == "give it a longer timeout=, or make it faster"
    assert (seen, seconds) == (["cancelled"], 1.5)


MINE = TimeoutError("the peer did not answer")


async def raises_its_own(run):
    raise MINE


async def has_a_timeout_inside(run):
    async with asyncio.timeout(1):
        await asyncio.sleep(5)


async def cancels_itself(run):
    """As async_timeout and aiohttp did before Python 3.11: and that is not taken back."""
    asyncio.current_task().cancel()
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        raise MINE  # noqa: B904 - what they do


@pytest.mark.parametrize(
    ("work", "timeout", "seconds"), [(raises_its_own, 60, 0), (has_a_timeout_inside, 60, 1), (cancels_itself, None, 0)]
)
def test_a_timeout_of_the_nodes_own_is_a_failure_and_not_taken_for_that_of_the_node(work, timeout, seconds):
    result, took = timed(work, timeout)
    assert type(result.reason) is TimeoutError
    assert result.reason is MINE or work is has_a_timeout_inside
    assert took == seconds


def test_a_timed_out_node_is_rolled_back_from_its_checkpoint_and_tried_again():
    sequence, runtime, undone = hafta.Sequence("timed"), FakeRuntime(), []

    @sequence.node(timeout=2)
    async def work(run):
        run.checkpoint(3)
        await asyncio.sleep(1 if undone else 5)
        return hafta.EXIT

    @work.rollback
    async def _(run, checkpoint):
        undone.append((checkpoint, type(run.reason).__name__))
        await asyncio.sleep(10)  # undoing is not timed

    assert sequence.call(runtime=runtime)
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


@pytest.mark.parametrize("asked_before", [0, 2])
@pytest.mark.parametrize("rolling_back", [False, True])
def test_a_cancellation_of_what_a_function_waits_for_is_a_failure(rolling_back, asked_before):
    sequence, runtime, failures = hafta.Sequence("waiting"), FakeRuntime(), []

    async def waits_for_what_is_cancelled():
        other = asyncio.create_task(asyncio.sleep(30))
        asyncio.get_running_loop().call_soon(other.cancel)
        await other

    @sequence.node
    async def work(run):
        if rolling_back:
            raise OSError("broken")
        await waits_for_what_is_cancelled()

    @work.rollback
    async def _(run, checkpoint):
        await waits_for_what_is_cancelled()

    @work.policy
    def _(run, event):
        failures.append((event.kind, type(event.reason).__name__))
        return hafta.FAIL_SEQUENCE if rolling_back is (event.kind is hafta.ROLLBACK_FAIL) else hafta.ROLL_BACK_CURRENT

    async def main():
        for _ in range(asked_before):  # somebody asked for the end of the task before, and took it for answered
            asyncio.current_task().cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(0)
        return await sequence.call_async(runtime=runtime)

    assert not runtime.run_async(main())
    assert failures[-1] == (hafta.ROLLBACK_FAIL if rolling_back else hafta.NORMAL_FAIL, "CancelledError")


def test_what_answers_a_cancellation_on_purpose_is_a_failure():
    async def answers():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise ConnectionError("not now") from None

    cancelled, steps = cancelled_while(answers)
    assert not cancelled
    assert steps[:3] == ["work", "rollback", "work"]


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

    result, seconds = timed(work, 1.5)
    assert (result.ok, seconds) == (True, 3.5)


def sleeps(run, _pipe):
    run.sleep(60)


def waits(run, pipe):
    run.wait(pipe)


async def awaits(run, pipe):
    await run.wait(pipe)


@pytest.mark.parametrize("wait", [sleeps, waits, awaits])
def test_a_wait_ends_when_the_nodes_time_is_up(wait, silent_pipe):
    runtime = FakeRuntime()

    def plain(run):
        return wait(run, silent_pipe)

    async def coroutine(run):
        await wait(run, silent_pipe)

    result, seconds = timed(coroutine if wait is awaits else plain, 1.5, runtime)
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert str(result.reason) == "node work took longer than its 1.5 s"
    assert (seconds, runtime.slept) == (1.5, [1.5] if wait is sleeps else [])


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

    result, seconds = timed(work, 10)
    assert (result.ok, seconds) == (True, 2)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_wait_for_what_is_ready_says_so(asynchronous, pipe):
    async def coroutine(run):
        return hafta.EXIT if await run.wait(pipe[1], 5, write=True) else None

    plain = lambda run: hafta.EXIT if run.wait(pipe[1], 5, write=True) else None
    assert one_shot(coroutine if asynchronous else plain, 10).call(runtime=FakeRuntime())


def test_a_poll_without_waiting_never_raises_however_late(silent_pipe):
    def work(run):
        run.runtime.clock += 100  # hard work, no waiting
        return hafta.EXIT if run.wait(silent_pipe, 0) is False else None

    assert one_shot(work, 10).call(runtime=FakeRuntime())


def test_what_is_ready_is_told_however_late(pipe):
    """A time that is up cuts a wait short; it does not take away what the wait has brought."""

    def work(run):
        run.runtime.clock += 100
        return hafta.EXIT if run.wait(pipe[1], 5, write=True) else None

    assert one_shot(work, 10).call(runtime=FakeRuntime())


def test_an_async_node_that_only_yields_is_cancelled_in_time():
    async def work(run):
        while run.runtime.now() < began + 5:
            await run.sleep(0)

    runtime = Runtime()
    began = runtime.now()
    result = one_shot(work, 0.01).call(runtime=runtime)
    assert isinstance(result.reason, hafta.NodeTimeout)


@pytest.mark.parametrize("watched", [True, False])
def test_the_time_of_a_node_ends_with_it_and_the_next_one_may_wait(watched):
    sequence, runtime = hafta.Sequence("relay"), FakeRuntime()
    sequence.node(name="quick", timeout=1)(lambda run: "slow")
    sequence.node(name="slow")(lambda run: run.sleep(5) or hafta.EXIT)
    if not watched:
        runtime.observers = lambda _sequence: ()
    assert str(sequence.call(runtime=runtime)) == "relay succeeded"
    assert runtime.slept == [5]


def test_a_policy_may_wait_though_the_nodes_time_is_up():
    sequence, runtime = hafta.Sequence("patient"), FakeRuntime()
    node = sequence.node(name="work", timeout=1)(lambda run: run.sleep(5))
    node.policy(lambda run, event: run.sleep(3) or hafta.FAIL_SEQUENCE)
    assert isinstance(sequence.call(runtime=runtime).reason, hafta.NodeTimeout)
    assert runtime.slept == [1, 3]
