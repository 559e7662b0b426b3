"""rollback_timeout=, policy_timeout= and run.call(timeout=): as timeout= of a node, for what else may take long."""

import asyncio

import pytest

import hafta
from hafta.testing import FakeRuntime


async def awaits(run):
    await run.sleep(60)


def sleeps(run):
    run.sleep(60)


async def awaits_others(_run):
    await asyncio.sleep(60)


LATE = {"sync": sleeps, "asyncio": awaits, "asyncio, not by the handle": awaits_others, "plain in asyncio": sleeps}


@pytest.fixture(params=LATE)
def late(request):
    """A function that takes 60 s, and whether the sequence is asynchronous."""
    return LATE[request.param], request.param != "sync"


def sequence(is_async, **options):
    """A sequence whose node fails the first time, and what it has done."""
    made, done = hafta.Sequence("limited"), []

    def work(run):
        done.append(f"work {run.attempt}")
        return hafta.EXIT if run.attempt else run.fail("first")

    async def also(run):
        return hafta.EXIT

    node = made.node(**options)(work)
    if is_async:
        made.node(also)
    return made, node, done


def function(late):
    """The function that is late, as a rollback function or a policy takes its arguments."""
    if asyncio.iscoroutinefunction(late):

        async def asynchronous(run, _what):
            await late(run)

        return asynchronous
    return lambda run, _what: late(run)


def test_a_rollback_function_that_takes_too_long_has_failed(late):
    function_, is_async = late
    made, node, done = sequence(is_async, rollback_timeout=1.5)
    node.rollback(function(function_))
    runtime, reasons = FakeRuntime(), []

    @node.policy
    def _(run, event):
        reasons.append((event.kind.name, str(event.reason)))
        return hafta.FAIL_SEQUENCE if event.kind is hafta.ROLLBACK_FAIL else hafta.ROLL_BACK_CURRENT

    result = made.call(runtime=runtime)
    assert reasons == [
        ("NORMAL_FAIL", "first"), ("ROLLBACK_FAIL", "the rollback function of node work took longer than its 1.5 s"),
    ]  # fmt: skip
    assert isinstance(result.reason, hafta.NodeTimeout)
    assert result.reason.hint == "give it a longer rollback_timeout=, or make it faster"
    assert (runtime.clock, done) == (1.5, ["work 0"])


def test_a_policy_that_takes_too_long_ends_the_call(late):
    function_, is_async = late
    made, node, done = sequence(is_async, policy_timeout=1.5)
    node.policy(function(function_))
    runtime = FakeRuntime()
    with pytest.raises(hafta.NodeTimeout, match=r"^the policy of node work took longer than its 1.5 s$") as caught:
        made.call(runtime=runtime)
    assert caught.value.hint == "give it a longer policy_timeout=, or make it faster"
    assert (runtime.clock, done) == (1.5, ["work 0"])


@pytest.mark.parametrize("which", ["rollback", "policy"])
def test_a_timeout_of_its_own_is_not_taken_for_the_time_of_the_function(which):
    made, node, _ = sequence(True, rollback_timeout=60, policy_timeout=60)
    mine = TimeoutError("the peer did not answer")

    async def raises(run, _what):
        raise mine

    getattr(node, which)(raises)
    if which == "policy":
        with pytest.raises(TimeoutError) as caught:
            made.call(runtime=FakeRuntime())
        assert caught.value is mine
    else:
        node.policy(lambda _run, event: hafta.FAIL_SEQUENCE if event.reason is mine else hafta.ROLL_BACK_CURRENT)
        assert made.call(runtime=FakeRuntime()).reason is mine


def test_what_is_in_time_is_not_limited_and_nor_is_what_comes_next():
    made, node, done = sequence(False, timeout=1, rollback_timeout=2, policy_timeout=3)
    node.rollback(lambda run, _checkpoint: run.sleep(1.5))

    @node.policy
    def _(run, event):
        run.sleep(2.5)
        return hafta.proceed(event.to) if event.to else hafta.ROLL_BACK_CURRENT

    runtime = FakeRuntime()
    assert made.call(runtime=runtime)
    assert runtime.slept == [2.5, 1.5, 2.5, 2.5]
    assert done == ["work 0", "work 1"]


def test_a_call_that_takes_too_long_is_cancelled_and_can_be_caught():
    inner, outer, runtime = hafta.Sequence("inner"), hafta.Sequence("outer"), FakeRuntime()
    inner.node(name="slow")(awaits)

    @outer.node
    async def work(run):
        try:
            await run.call(inner, timeout=1.5)
        except hafta.NodeTimeout as error:
            return run.fail(error)

    @work.policy
    def _(run, event):
        return hafta.FAIL_SEQUENCE

    result = outer.call(runtime=runtime)
    assert str(result.reason) == "node work called a sequence that took longer than 1.5 s"
    assert result.reason.hint == "give the call a longer timeout=, or make the sequence faster"
    assert runtime.clock == 1.5


def test_a_call_whose_sequence_raises_a_timeout_of_its_own():
    inner, outer, mine = hafta.Sequence("inner"), hafta.Sequence("outer"), TimeoutError("mine")

    @inner.node
    async def fails(run):
        raise mine

    inner.nodes["fails"].policy(lambda _run, _event: hafta.FAIL_SEQUENCE)
    outer.node(name="work", policy=lambda _run, _event: hafta.FAIL_SEQUENCE)(_calls(inner))
    assert outer.call(runtime=FakeRuntime()).reason.reason is mine


def _calls(inner):
    async def work(run):
        await run.call(inner, timeout=60)

    return work


def test_a_synchronous_call_tells_the_runtime_how_long_it_may_take():
    """A warm parent keeps it (tests/unit/warm/test_warm_timeouts.py)."""

    class Telling(FakeRuntime):
        told: list = []  # noqa: RUF012 - of one test

        def call_begins(self, seconds):
            self.told.append(seconds)
            return "token"

        def call_ends(self, begun):
            self.told.append(begun)

    inner, outer, given = hafta.Sequence("inner"), hafta.Sequence("outer"), []
    inner.node(name="quick")(lambda run: given.append(run.data) or hafta.EXIT)
    outer.node(name="work")(lambda run: run.call(inner, "a") and run.call(inner, "b", timeout=3) and hafta.EXIT)
    assert outer.call(runtime=Telling())
    assert (Telling.told, given) == ([3, "token"], ["a", "b"])


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("seconds", [0, -1, "5", True, float("nan")])
def test_a_call_takes_more_than_no_time(asynchronous, seconds):
    inner, outer = hafta.Sequence("inner"), hafta.Sequence("outer")
    inner.node(name="quick")(lambda run: hafta.EXIT)

    async def awaits_it(run):
        await run.call(inner, timeout=seconds)

    plain = lambda run: run.call(inner, timeout=seconds)
    node = outer.node(name="work", policy=lambda _run, _event: hafta.FAIL_SEQUENCE)
    node(awaits_it if asynchronous else plain)
    reason = outer.call(runtime=FakeRuntime()).reason
    assert str(reason) == f"the timeout of a call is more than 0 seconds, not {seconds!r}"


@pytest.mark.parametrize("option", ["rollback_timeout", "policy_timeout"])
@pytest.mark.parametrize("seconds", [0, -1, "5"])
def test_a_timeout_is_more_than_no_time(option, seconds):
    with pytest.raises(ValueError, match=f"^the {option} of node work is more than 0 seconds, not {seconds!r}$"):
        sequence(False, **{option: seconds})
    with pytest.raises(ValueError, match=f"^the {option} of node work is more than 0 seconds, not {seconds!r}$"):

        class _Late(hafta.Steps):
            @hafta.node(**{option: seconds})
            def work(self, run):
                return hafta.EXIT
