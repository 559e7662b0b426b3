"""A call that somebody stops (SIGTERM, SIGINT, cancellation) is resumed, and no failure is counted."""

import asyncio
import gc
import os
import signal

import pytest
from durable_support import Died, Lives, Program, at

import hafta
from hafta.stores import FileStore, MemoryStore
from hafta.testing import FakeRuntime


class Slow(FakeRuntime):
    """Whoever sleeps here is asked to stop."""

    def sleep(self, seconds):
        raise KeyboardInterrupt

    async def asleep(self, seconds):
        raise KeyboardInterrupt


def stop(lives, sequence):
    """Run a process that is stopped from inside of its functions."""
    with pytest.raises(KeyboardInterrupt):
        lives.run(sequence)


def stop_asleep(lives, sequence):
    """Run a process that is stopped when it first sleeps."""
    with pytest.raises(KeyboardInterrupt):
        lives.run(sequence, runtime=Slow())


def delayed(kind, verdict=None):
    """A policy that waits before what follows this kind of event."""

    def policy(run, event):
        answer = hafta.default_policy(run, event)
        return (verdict or answer).after(5) if event.kind is kind else answer

    return policy


def test_stopped_in_a_node_it_is_rolled_back_and_no_failure_is_counted(lives):
    program = Program(lives, "work").say("work", *[at(1, "stop", path="/a")] * 7)
    for _ in range(7):
        stop(lives, program.sequence)
    assert [level.phase for level in lives.record("steps")] == ["stopped normal"]
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), *[("undo work", 1, {"path": "/a"}), ("work", 0)] * 7]
    (rolled,) = lives.events("rolled-back")
    assert "was stopped in it" in rolled.reason


def test_stopped_in_a_rollback_function_it_runs_again(lives):
    program = Program(lives, "work").say("work", "fail").say("work", at(3, "stop"), function="rollback")
    stop(lives, program.sequence)
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), ("undo work", 0, {}), ("undo work", 3, {}), ("work", 1)]


def test_stopped_while_unwinding_it_goes_on_unwinding(lives):
    program = Program(lives, "first", "work", durable=("first",)).say("work", *["fail"] * 5)
    program.say("work", *[None] * 4, *["stop"] * 7, function="rollback")
    for _ in range(7):
        stop(lives, program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("undo work", 0, {}), ("undo first", 0, {}), ("first", 0), ("work", 0)]


def test_stopped_between_nodes_nothing_is_rolled_back(lives):
    program = Program(lives, "first", "second", durable=("first",))
    program.sequence.nodes["first"].policy(delayed(hafta.NORMAL_SUCCESS))
    stop_asleep(lives, program.sequence)
    assert [level.phase for level in lives.record("steps")] == ["stopped between"]
    assert lives.run(program.sequence)
    assert lives.said == [("first", 0), ("second", 0)]


def test_stopped_before_a_rollback_that_was_decided_no_policy_is_asked_again(lives):
    program = Program(lives, "work").say("work", at(4, "fail"))
    asked = []
    program.sequence.nodes["work"].policy(lambda run, event: (asked.append(event.kind), _wait(run, event))[1])
    stop_asleep(lives, program.sequence)
    assert [level.phase for level in lives.record("steps")] == ["stopped back"]
    assert lives.run(program.sequence)
    assert asked == [hafta.NORMAL_FAIL, hafta.ROLLBACK_SUCCESS, hafta.NORMAL_SUCCESS]
    assert lives.said == [("work", 0), ("undo work", 4, {}), ("work", 1)]


def _wait(run, event):
    verdict = hafta.default_policy(run, event)
    return verdict.after(5) if event.kind is hafta.NORMAL_FAIL else verdict


def test_stopped_before_an_unwinding_that_was_decided_it_begins(lives):
    program = Program(lives, "work", "repair").say("work", at(4, "fail"))
    program.sequence.nodes["work"].policy(delayed(hafta.NORMAL_FAIL, hafta.proceed("repair")))
    stop_asleep(lives, program.sequence)
    assert [level.phase for level in lives.record("steps")] == ["stopped unwind 0 PROCEED repair"]
    assert lives.run(program.sequence)
    assert lives.said == [("work", 0), ("undo work", 4, {}), ("repair", 0)]


def test_stopped_before_the_previous_node_is_rolled_back_that_one_is_next(lives):
    program = Program(lives, "first", "work", durable=("first",)).say("first", at(2)).say("work", "fail")
    program.say("work", "fail", function="rollback")
    program.sequence.nodes["work"].policy(delayed(hafta.ROLLBACK_FAIL))
    stop_asleep(lives, program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("undo first", 2, {}), ("first", 0), ("work", 0)]


def test_stopped_while_nodes_are_taken_up_nothing_is_counted(lives):
    program = Program(lives, "open", "work").say("open", None, *["stop"] * 7).say("work", at(1, "die"))
    lives.die(program.sequence)
    for _ in range(7):
        stop(lives, program.sequence)
    lives.said.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("open", 0), ("undo work", 1, {}), ("work", 1)]


def test_stopped_in_an_inner_sequence_that_one_resumes(lives):
    inner, outer = Program(lives, "put", name="inner"), Program(lives, "load", name="outer")
    outer.say("load", *[lambda run: run.call(inner.sequence) and None] * 8)
    inner.say("put", *[at(1, "stop")] * 7)
    for _ in range(7):
        stop(lives, outer.sequence)
    assert [level.phase for level in lives.record("outer")][-1] == "stopped normal"
    lives.said.clear()
    assert lives.run(outer.sequence)
    assert lives.said == [("load", 0), ("undo put", 1, {}), ("put", 0)]


def test_stopped_in_the_outer_node_before_the_inner_call_the_inner_one_still_resumes(lives):
    inner, outer = Program(lives, "put", name="inner"), Program(lives, "load", name="outer")
    call = lambda run: run.call(inner.sequence) and None
    outer.say("load", call, *["stop"] * 7, call)
    inner.say("put", at(1, "die"))
    lives.die(outer.sequence)
    for _ in range(7):
        stop(lives, outer.sequence)
    lives.said.clear()
    assert lives.run(outer.sequence)
    assert lives.said == [("load", 0), ("undo put", 1, {}), ("put", 1)]


@pytest.mark.parametrize("wish", [SystemExit(3), KeyboardInterrupt()])
def test_leaving_the_program_is_a_stop_too(lives, wish):
    def leave(run):
        run.checkpoint(1)
        raise wish

    program = Program(lives, "work").say("work", leave)
    with pytest.raises(type(wish)):
        lives.run(program.sequence)
    assert lives.record("steps")[0].phase == "stopped normal"


def test_a_cancelled_task_is_a_stop():
    sequence = hafta.Sequence("steps")

    @sequence.node
    async def work(run):
        run.checkpoint(1, path="/a")
        await asyncio.sleep(100)
        return hafta.EXIT

    async def cancel(store):
        task = asyncio.ensure_future(sequence.call_async(store=store, runtime=FakeRuntime()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    lives = Lives(MemoryStore(), asynchronous=True)
    asyncio.run(cancel(lives.store))
    assert lives.record("steps")[0].phase == "stopped normal"
    assert lives.record("steps")[0].state == {"path": "/a"}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_raises_in_any_instant_leaves_a_stopped_record():
    """SIGALRM at random moments of a busy sequence: the next call resumes, and no failure is counted.

    But in the few instructions that begin and end a call: there it counts as a crash.
    """
    lives = Lives(MemoryStore(), asynchronous=False)
    sequence, attempts, stopped, missed = hafta.Sequence("steps"), [], 0, 0

    @sequence.node
    def first(run):
        attempts.append(run.attempt)
        run.checkpoint(1, number=run.data)
        return second

    @sequence.node
    def second(run):
        attempts.append(run.attempt)
        run.checkpoint(2)
        return first if len(attempts) < 100_000 else hafta.EXIT

    def interrupt(_number, frame):
        if "coverage" in frame.f_code.co_filename:  # it would keep its lock for ever; a moment later, then
            signal.setitimer(signal.ITIMER_REAL, 0.0001)
        else:
            raise KeyboardInterrupt

    stop(lives, Program(lives, "work").say("work", "stop").sequence)  # so that all is loaded that is loaded late
    lives.run(Program(lives, "work").sequence)
    gc.disable()  # Python drops what a signal handler raises within a callback of the collector
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(150):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0005 + turn * 0.00001)
                lives.run(sequence, turn)
            except KeyboardInterrupt:
                stopped += 1
            missed += sum("stopped" not in level.phase for level in lives.record("steps"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert stopped > 100
    assert missed <= 5
    assert max(attempts) <= missed


def test_a_store_that_fails_does_not_keep_a_process_from_stopping(lives):
    store = lives.store

    class Full:
        """Refuses the record of the stop."""

        def claim(self, *args, **options):
            claim = store.claim(*args, **options)
            self.claimed = claim
            return claim

    full = Full()

    def work(run):
        run.checkpoint(1)
        full.claimed.close()
        raise KeyboardInterrupt

    sequence = hafta.Sequence("steps")
    sequence.node(name="work")(work)
    with pytest.raises(KeyboardInterrupt):
        lives.run(sequence, store=full)
    (event,) = lives.events("store-trouble")
    assert event.action == "the next call takes this stop for a crash"
    assert "closed" in event.reason


def test_a_real_sigkill_is_counted_and_a_real_sigint_is_not(tmp_path):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    program = Program(lives, "work").say("work", *[lambda run: run.checkpoint(1) or os.kill(os.getpid(), run.data)] * 3)
    counts = []
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL):
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                lives.run(program.sequence, number)
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        (level,) = lives.record("steps")
        counts.append((level.attempt, level.phase))
    assert counts == [(0, "normal"), (1, "stopped normal"), (1, "normal")]


def test_stopped_when_all_is_over_there_is_nothing_to_resume(lives):
    class Impatient(FakeRuntime):
        def report(self, event):
            if event.NAME == "sequence-failed":
                raise KeyboardInterrupt

    program = Program(lives, "work").say("work", *["fail"] * 5)
    with pytest.raises(KeyboardInterrupt):
        lives.run(program.sequence, runtime=Impatient())
    assert lives.record("steps") == ()


def test_died_is_no_stop(lives):
    program = Program(lives, "work").say("work", at(1, "die"))
    with pytest.raises(Died):
        lives.run(program.sequence)
    assert lives.record("steps")[0].phase == "normal"


@pytest.mark.parametrize(("action", "stopped"), [("stop", True), ("die", False)])
def test_what_became_of_the_earlier_process_is_reported(lives, action, stopped):
    program = Program(lives, "work").say("work", action)
    with pytest.raises((Died, KeyboardInterrupt)):
        lives.run(program.sequence)
    lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert (event.begun, event.stopped) == (True, stopped)


def test_a_death_between_two_nodes_is_told_from_one_in_a_node(lives):
    program = Program(lives, "work", "next", durable=("work",), policies=("work",))
    program.say("work", hafta.proceed("next").after(1), function="policy")
    lives.run_until_it_sleeps(program.sequence)
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert (event.node, event.begun, event.stopped) == ("next", False, False)
