"""Policies in real calls: delays are waited for, limits end what they limit, breakers are shared."""

import pytest

import hafta
from hafta.policies import FOREVER, Attempts, Backoff, CircuitBreaker, CircuitOpen, Deadline, FailSequence, RetryAfter
from hafta.testing import FakeRuntime


def flaky(policy, failures, *, seconds=0, reason="no"):
    """A sequence of one node that fails `failures` times; each attempt takes `seconds`."""
    sequence = hafta.Sequence("flaky")
    left = [failures]

    @sequence.node(policy=policy)
    def work(run):
        run.runtime.clock += seconds
        left[0] -= 1
        return run.fail(reason) if left[0] >= 0 else hafta.EXIT

    return sequence


def busy(seconds):
    error = OSError("busy")
    error.retry_after = seconds
    return error


FOR_TEN = Attempts(FOREVER) | Backoff(1, factor=1, jitter=0) | Deadline(10, then=hafta.FAIL_SEQUENCE)
FATAL = Attempts(50) | FailSequence(lambda reason: reason == "fatal")


@pytest.mark.parametrize(
    ("policy", "failures", "seconds", "reason", "says", "slept"),
    [
        (Attempts(10) | Backoff(0.5, cap=2, jitter=0), 5, 0, "no", "succeeded after 5 failures", [0.5, 1, 2, 2, 2]),
        (Attempts(8, then=hafta.FAIL_SEQUENCE), 100, 0, "no", "failed at node work, attempt 8: no", []),
        # Attempts end at 2, 5 and 8 s; after the third, the wait would end at 9 s and the next attempt at 11 s.
        (FOR_TEN, 100, 2, "no", "failed at node work, attempt 4: no", [1, 1, 1]),
        (RetryAfter(), 2, 0, busy(7), "succeeded after 2 failures", [7, 7]),
        (FATAL, 9, 0, "fatal", "failed at node work, attempt 1: fatal", []),
    ],
    ids=["delays are waited for", "attempts end", "a deadline counts attempts and waits", "the error tells how long",
         "nothing can repair it"],
)  # fmt: skip
def test_delays_are_waited_for_and_limits_end_what_they_limit(call, policy, failures, seconds, reason, says, slept):
    runtime = FakeRuntime(clock=1000)
    assert str(call(flaky(policy, failures, seconds=seconds, reason=reason), runtime)) == f"flaky {says}"
    assert (runtime.slept, runtime.clock - 1000) == (slept, sum(slept) + seconds * (len(slept) + 1))


def test_a_deadline_begins_again_when_control_comes_back(call):
    sequence, tries, runtime = hafta.Sequence("again"), [], FakeRuntime()
    sequence.node(name="first")(lambda run: "second")

    @sequence.node(policy=Attempts(FOREVER) | Deadline(10))
    def second(run):
        run.runtime.clock += 4
        tries.append(run.attempt)
        return hafta.EXIT if len(tries) == 5 else run.fail("no")

    assert call(sequence, runtime)
    assert tries == [0, 1, 2, 0, 1]


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


def test_an_open_breaker_lets_no_first_attempt_of_another_call_begin(call):
    breaker, runtime = CircuitBreaker(2, cooldown=30), FakeRuntime()
    sequence = flaky(Attempts(2) | breaker, 2, reason="down")
    assert not call(sequence, runtime)
    assert (breaker.state(runtime.clock), runtime.clock, runtime.slept) == ("open", 0, [])
    result = call(sequence, runtime)
    assert [str(failure) for failure in result.history] == [
        "work, attempt 1: CircuitOpen: the circuit breaker is open for another 30 s"
    ]
    assert "one attempt is let through" in result.history[0].reason.hint
    assert (result.ok, runtime.clock, runtime.slept) == (True, 30, [30])
    assert breaker.state(runtime.clock) == "closed"


def test_an_open_breaker_with_a_verdict_gives_it_to_a_first_attempt(call):
    breaker, runtime = CircuitBreaker(1, cooldown=30, then=hafta.FAIL_SEQUENCE), FakeRuntime()
    sequence = flaky(breaker, 1)
    assert call(sequence, runtime).reason == "no"
    runtime.clock += 20
    assert isinstance(call(sequence, runtime).reason, CircuitOpen)
    runtime.clock += 10
    assert call(sequence, runtime)
