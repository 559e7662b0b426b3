"""Policies in real calls: delays are waited for, limits end what they limit, breakers are shared."""

import pytest

import hafta
from hafta.policies import FOREVER, Attempts, Backoff, CircuitBreaker, Deadline, FailSequence, RetryAfter
from hafta.testing import FakeRuntime


@pytest.fixture(params=[False, True], ids=["blocking", "asyncio"])
def call(request):
    def run(sequence, runtime):
        if request.param:
            return runtime.run_async(sequence.call_async(runtime=runtime))
        return sequence.call(runtime=runtime)

    return run


def flaky(policy, failures, *, seconds=0, reason="no"):
    """A sequence of one node that fails so often, each attempt taking so many seconds."""
    sequence = hafta.Sequence("flaky")
    left = [failures]

    @sequence.node(policy=policy)
    def work(run):
        run.runtime.clock += seconds
        left[0] -= 1
        return run.fail(reason) if left[0] >= 0 else hafta.EXIT

    return sequence


def test_delays_are_waited_for_between_the_rollback_and_the_next_attempt(call):
    runtime = FakeRuntime()
    assert call(flaky(Attempts(10) | Backoff(0.5, cap=2, jitter=0), 5), runtime)
    assert runtime.slept == [0.5, 1, 2, 2, 2]
    assert runtime.clock == 7.5


def test_attempts_end_with_what_follows_them(call):
    runtime = FakeRuntime()
    result = call(flaky(Attempts(8, then=hafta.FAIL_SEQUENCE), 100), runtime)
    assert str(result) == "flaky failed at node work, attempt 8: no"


def test_a_deadline_counts_attempts_and_waits_together(call):
    runtime = FakeRuntime(clock=1000)
    policy = Attempts(FOREVER) | Backoff(1, factor=1, jitter=0) | Deadline(10, then=hafta.FAIL_SEQUENCE)
    result = call(flaky(policy, 100, seconds=2), runtime)
    # Attempts end at 2, 5 and 8 s; after the third, the wait would end at 9 s and the next attempt at 11 s.
    assert (result.attempt, runtime.clock) == (4, 1011)
    assert runtime.slept == [1, 1, 1]


def test_a_deadline_begins_anew_when_control_comes_back(call):
    sequence, tries, runtime = hafta.Sequence("again"), [], FakeRuntime()

    @sequence.node
    def first(run):
        return second

    @sequence.node(policy=Attempts(FOREVER) | Deadline(10))
    def second(run):
        run.runtime.clock += 4
        tries.append(run.attempt)
        return hafta.EXIT if len(tries) == 5 else run.fail("no")

    assert call(sequence, runtime)
    assert tries == [0, 1, 2, 0, 1]


def test_the_error_tells_how_long_to_wait(call):
    runtime, error = FakeRuntime(), OSError("busy")
    error.retry_after = 7
    assert call(flaky(RetryAfter(), 2, reason=error), runtime)
    assert runtime.slept == [7, 7]


def test_a_failure_that_nothing_can_mend_fails_the_sequence_at_once(call):
    runtime = FakeRuntime()
    result = call(flaky(Attempts(50) | FailSequence(lambda reason: reason == "fatal"), 9, reason="fatal"), runtime)
    assert str(result) == "flaky failed at node work, attempt 1: fatal"


def test_a_breaker_is_shared_by_the_nodes_that_use_the_same_thing(call):
    breaker, runtime, sequence = CircuitBreaker(3, within=60, cooldown=30), FakeRuntime(), hafta.Sequence("shared")
    tries = {"read": 2, "write": 2}

    def use(run):
        name = run.node.name
        if tries[name]:
            tries[name] -= 1
            return run.fail("down")
        return "write" if name == "read" else hafta.EXIT

    sequence.node(name="read", policy=breaker)(use)
    sequence.node(name="write", policy=breaker)(use)
    assert call(sequence, runtime)
    # Two failures of the one and one of the other open it; the second of the other is the probe that fails.
    assert runtime.slept == [30, 30]
    assert breaker.state(runtime.clock) == "closed"


def test_a_policy_object_is_as_good_as_a_function_in_a_node_list(call):
    def work(run):
        return hafta.EXIT if run.attempt == 2 else run.fail("no")

    runtime = FakeRuntime()
    nodes = [(1, hafta.NORMAL, work), (1, hafta.POLICY, Backoff(3, factor=1, jitter=0))]
    assert call(hafta.Sequence.from_nodes("listed", nodes), runtime)
    assert runtime.slept == [3, 3]


def test_a_chain_may_begin_with_an_asynchronous_function():
    async def mine(run, event):
        await run.sleep(3)
        return hafta.default_policy(run, event)

    runtime = FakeRuntime()
    sequence = flaky(mine | Attempts(2, then=hafta.FAIL_SEQUENCE) | Backoff(1, jitter=0), 5)
    assert sequence.is_async
    result = sequence.call(runtime=runtime)
    assert (result.ok, result.attempt) == (False, 2)
    assert runtime.slept == [3, 3, 1, 3]  # NORMAL_FAIL, ROLLBACK_SUCCESS, the backoff, NORMAL_FAIL
