"""hafta.testing: the clock, forced failures and the recorder do what they promise."""

import asyncio
import os
import time

import pytest

import hafta
from hafta.policies import FOREVER, Attempts
from hafta.testing import EndlessWait, FakeRuntime, ForcedFailure, ProcessEnded, Step, loop


@pytest.fixture
def feed():
    sequence = hafta.Sequence("feed")

    @sequence.node
    def fetch(run):
        return store

    fetch.rollback(lambda run, checkpoint: run.sleep(2))
    store = sequence.node(name="store")(lambda run: run.checkpoint(1) or hafta.EXIT)
    return sequence


def test_no_time_passes_but_on_the_fake_clock():
    runtime, began = FakeRuntime(clock=1000), time.monotonic()
    runtime.sleep(3600)
    runtime.sleep(-1)
    assert (runtime.now(), runtime.clock, runtime.slept, runtime.progresses) == (4600, 4600, [3600, -1], 2)
    assert time.monotonic() - began < 60


def test_a_wait_for_a_descriptor_that_is_ready_takes_no_time(pipe):
    reader, writer = pipe
    runtime = FakeRuntime()
    assert runtime.wait(writer, 5, write=True)
    os.write(writer, b"x")
    assert runtime.wait(reader)
    assert runtime.clock == 0


@pytest.mark.parametrize(("seconds", "clock"), [(5, 105), (-5, 100)])
def test_a_wait_for_one_that_is_not_moves_the_clock_to_its_end_and_never_back(pipe, seconds, clock):
    runtime = FakeRuntime(clock=100)
    assert runtime.wait(pipe[0], seconds) is False
    assert runtime.clock == clock


def test_a_wait_that_would_never_end_says_so(pipe):
    with pytest.raises(EndlessWait) as caught:
        FakeRuntime().wait(pipe[0])
    assert str(caught.value) == f"descriptor {pipe[0]} is not ready, and this test would wait for it for ever"
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_node_that_tries_for_ever_does_not_wait_for_ever(pipe, asynchronous, monkeypatch):
    monkeypatch.setattr(loop, "PATIENCE", 0)
    sequence = hafta.Sequence("waiting")

    def plain(run):
        run.wait(pipe[0])

    async def awaiting(run):
        await run.wait(pipe[0])

    sequence.node(policy=Attempts(FOREVER))(awaiting if asynchronous else plain)
    with pytest.raises(EndlessWait, match=f"^descriptor {pipe[0]} is not ready"):
        sequence.call(runtime=FakeRuntime())


def test_a_task_that_waits_for_what_nobody_does_ends_the_test(monkeypatch):
    monkeypatch.setattr(loop, "PATIENCE", 0)

    async def main():
        await asyncio.Event().wait()

    with pytest.raises(EndlessWait, match=r"^what the tasks wait for is not ready"):
        FakeRuntime().run_async(main())


def test_a_thread_may_end_a_wait_that_nothing_else_would_end(pipe, monkeypatch):
    monkeypatch.setattr(loop, "PATIENCE", 60.0)
    runtime = FakeRuntime()

    async def main():
        ready, _ = await asyncio.gather(runtime.await_fd(pipe[0]), asyncio.to_thread(os.write, pipe[1], b"x"))
        return ready, runtime.clock

    assert runtime.run_async(main()) == (True, 0)


def test_in_asyncio_all_tasks_share_the_fake_clock(pipe):
    runtime, woken = FakeRuntime(), []

    async def sleeper(seconds):
        await asyncio.sleep(seconds)
        woken.append((seconds, runtime.clock))

    async def main():
        ready, *_ = await asyncio.gather(
            runtime.await_fd(pipe[0], 7), runtime.asleep(3), sleeper(5), sleeper(1), sleeper(4000)
        )
        return ready

    began = time.monotonic()
    assert runtime.run_async(main()) is False
    assert woken == [(1, 1), (5, 5), (4000, 4000)]
    assert runtime.slept == [3]
    assert time.monotonic() - began < 60


def test_in_asyncio_a_descriptor_that_becomes_ready_ends_the_wait(pipe):
    reader, writer = pipe
    runtime = FakeRuntime()

    async def writes():
        await asyncio.sleep(2)
        os.write(writer, b"x")

    async def main():
        task = asyncio.create_task(writes())
        ready = await runtime.await_fd(reader, 60)
        await task
        return ready, runtime.clock

    assert runtime.run_async(main()) == (True, 2)


def test_in_a_foreign_event_loop_nothing_waits_either(pipe):
    runtime, began = FakeRuntime(), time.monotonic()

    async def main():
        await runtime.asleep(3600)
        return await runtime.await_fd(pipe[0], 3600)

    assert asyncio.run(main()) is False
    assert runtime.clock == 7200
    assert time.monotonic() - began < 60


def test_an_asynchronous_sequence_called_without_await_runs_on_the_fake_clock():
    sequence, runtime = hafta.Sequence("slow"), FakeRuntime()

    @sequence.node(timeout=60)
    async def work(run):
        await asyncio.sleep(3600 if run.attempt == 0 else 30)
        return hafta.EXIT

    result = sequence.call(runtime=runtime)
    assert str(result) == "slow succeeded after 1 failure"
    assert runtime.clock == 90


def test_a_forced_failure_happens_before_the_function_begins(feed):
    runtime, error = FakeRuntime(), TimeoutError("no answer")
    runtime.force("fetch", error, times=3)
    result = feed.call(runtime=runtime)
    assert [failure.reason for failure in result.history] == [error] * 3
    assert runtime.slept == [2, 2, 2]
    assert [event.NAME for event in runtime.events] == ["rolled-back"] * 3 + ["recovered"]
    assert runtime.path == [*["fetch"] * 7, "store"]
    assert runtime.forced == {}


def test_failures_are_forced_one_after_the_other_and_none_lets_a_run_pass():
    sequence, runtime, runs = hafta.Sequence("loop"), FakeRuntime(), []

    @sequence.node
    def work(run):
        runs.append(run.attempt)
        return work if len(runs) < 3 else hafta.EXIT

    runtime.force(work, 1, None, 2)
    result = sequence.call(runtime=runtime)
    assert [failure.reason.reason for failure in result.history] == [1, 2]
    assert [str(failure.reason) for failure in result.history] == ["forced: 1", "forced: 2"]
    assert runs == [1, 1, 0]


def test_rollback_functions_can_be_forced_to_fail(feed):
    runtime = FakeRuntime()
    runtime.force("fetch", "broken")
    runtime.force("fetch", OSError(5, "stuck"), function="rollback")
    result = feed.call(runtime=runtime)
    assert str(result) == "feed failed at node fetch, attempt 1: [Errno 5] stuck"
    assert isinstance(result.history[0].reason, ForcedFailure)


def test_what_was_forced_and_never_met_can_be_asked(feed):
    runtime = FakeRuntime()
    runtime.force("fetsh", "broken", times=2)
    assert feed.call(runtime=runtime)
    assert runtime.forced == {("fetsh", "normal"): ["broken", "broken"]}


@pytest.mark.parametrize(("reasons", "options"), [((), {}), (("x",), {"times": 0}), (("x",), {"function": "rollbak"})])
def test_forcing_nothing_is_refused(reasons, options):
    with pytest.raises(ValueError, match=r'^force\(\) takes reasons, times >= 1 and function "normal" or "rollback", '):
        FakeRuntime().force("fetch", *reasons, **options)


def test_the_recorder_has_every_policy_event_and_what_followed(feed):
    runtime = FakeRuntime()
    error = ValueError("once")
    runtime.force("store", error)
    assert feed.call(runtime=runtime)
    assert runtime.steps == [
        Step("feed", "fetch", hafta.NORMAL_SUCCESS, 0, 0, None, "store"),
        Step("feed", "store", hafta.NORMAL_FAIL, 1, 0, error, "store"),
        Step("feed", "store", hafta.ROLLBACK_SUCCESS, 1, 0, None, "store"),
        Step("feed", "store", hafta.NORMAL_SUCCESS, 1, 1, None, "done"),
    ]


def test_inner_sequences_are_recorded_and_forced_too(feed):
    outer, runtime = hafta.Sequence("outer"), FakeRuntime()
    outer.node(name="caller")(lambda run: run.call(feed) and hafta.EXIT)
    runtime.force("store", "broken")
    assert outer.call(runtime=runtime)
    assert [(step.sequence, step.node) for step in runtime.steps] == [
        ("feed", "fetch"), ("feed", "store"), ("feed", "store"), ("feed", "store"), ("outer", "caller"),
    ]  # fmt: skip


def test_a_panic_becomes_an_exception_that_no_node_catches(feed):
    runtime, sequence = FakeRuntime(), hafta.Sequence("panicky")

    @sequence.node
    def work(run):
        try:
            run.panic("invalid checkpoint 7")
        except Exception:
            return hafta.EXIT

    with pytest.raises(ProcessEnded) as caught:
        sequence.call(runtime=runtime)
    assert caught.value.status == 70
    assert str(caught.value) == "the process ends with status 70"
    assert [event.message() for event in runtime.events] == [
        "Panic in node work of sequence panicky: invalid checkpoint 7"
    ]


def test_what_is_said_is_recorded_instead_of_shown(capsys):
    runtime = FakeRuntime()
    runtime.say("hello")
    runtime.status("working")
    runtime.ready("up")
    runtime.flush()
    assert (runtime.said, runtime.statuses) == (["hello"], ["working"])
    assert capsys.readouterr().out == ""
