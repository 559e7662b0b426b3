"""A call that somebody stops (SIGTERM, SIGINT, cancellation) is resumed, and no failure is counted."""

import asyncio
import contextlib
import gc
import itertools
import os
import signal

import pytest
from durable_stories import STOPPED, Story, stories
from durable_support import Lives, Program, at, judged
from stop_points import Points

import hafta
from hafta.engine.machine import Phase
from hafta.engine.resume import NEXT, RUNS, UNDOES_NEXT, Doing
from hafta.stores import FileStore, MemoryStore
from hafta.stores.wrapping import WrappingStore
from hafta.testing import FakeRuntime

CALLS = {"load": ["call"] * 8}

STORIES = {
    "stopped in a node, it is rolled back and no failure is counted": Story(
        "work", {"work": [at(1, "stop", path="/a")] * 7}, *["stop"] * 7, doing=STOPPED, rolled="was stopped in it",
        whole="work 0" + ", undo work 1 path='/a', work 0" * 7,
    ),
    "stopped in a rollback function, it runs again": Story(
        "work", {"work": "fail", "undo work": at(3, "stop")}, "stop",
        whole="work 0, undo work 0 {}, undo work 3 {}, work 1",
    ),
    "stopped while unwinding, it goes on unwinding": Story(
        "first* work", {"work": ["fail"] * 5, "undo work": [*[None] * 4, *["stop"] * 7]}, *["stop"] * 7,
        says="undo work 0 {}, undo first 0 {}, first 0, work 0",
    ),
    "stopped between nodes, nothing is rolled back": Story(
        "first* second", {}, "stop asleep", policies={"first": judged(hafta.NORMAL_SUCCESS, delay=5)},
        doing=NEXT.replace(stopped=True), whole="first 0, second 0",
    ),
    "stopped before a rollback that was decided, no policy is asked again": Story(
        "work?", {"work": at(4, "fail"), "ask work": hafta.ROLL_BACK_CURRENT.after(5)}, "stop asleep",
        doing=UNDOES_NEXT.replace(stopped=True),
        whole="work 0, ask work NORMAL_FAIL 1, undo work 4 {}, ask work ROLLBACK_SUCCESS 1, work 1,"
        " ask work NORMAL_SUCCESS 1",
    ),
    "stopped before an unwinding that was decided, it begins": Story(
        "work other", {"work": at(4, "fail")}, "stop asleep",
        policies={"work": judged(hafta.NORMAL_FAIL, hafta.proceed("other"), delay=5)},
        doing=Doing(Phase.UNWIND, begun=True, then=hafta.proceed("other"), stopped=True),
        whole="work 0, undo work 4 {}, other 0",
    ),
    "stopped before the previous node is rolled back, that one is next": Story(
        "first* work", {"first": at(2), "work": "fail", "undo work": "fail"}, "stop asleep",
        policies={"work": judged(hafta.ROLLBACK_FAIL, delay=5)}, says="undo first 2 {}, first 0, work 0",
    ),
    "stopped while nodes run again, nothing is counted": Story(
        "open work", {"open": [None, *["stop"] * 7], "work": at(1, "die")}, "die", *["stop"] * 7,
        says="open 0, undo work 1 {}, work 1",
    ),
    "stopped in an inner sequence, that one resumes": Story(
        "load", CALLS | {"put": [at(1, "stop")] * 7}, *["stop"] * 7, inner="put", doing=STOPPED,
        says="load 0, undo put 1 {}, put 0",
    ),
    "stopped in the outer node before the inner call, the inner sequence still resumes": Story(
        "load", {"load": ["call", *["stop"] * 7, "call"], "put": at(1, "die")}, "die", *["stop"] * 7, inner="put",
        says="load 0, undo put 1 {}, put 1",
    ),
}  # fmt: skip


@stories(STORIES)
def test_a_call_that_is_stopped_is_resumed_and_no_failure_is_counted(lives, story):
    story.check(lives)


@pytest.mark.parametrize("wish", [SystemExit(3), KeyboardInterrupt()])
def test_leaving_the_program_is_a_stop_too(lives, wish):
    program = Program(lives, "work", does={"work": (at(1), lambda _run: raise_it(wish))})
    with pytest.raises(type(wish)):
        lives.run(program.sequence)
    assert lives.doing("steps") == STOPPED


def raise_it(wish):
    raise wish


class Refused(WrappingStore):
    """A store whose last claim can be closed: then nothing more is recorded."""

    def claim(self, *args, **options):
        self.claimed = super().claim(*args, **options)
        return self.claimed


class Impatient(FakeRuntime):
    """Is asked to stop when all is over, or about to end its process; closes the claim of a store before."""

    def __init__(self, store=None):
        super().__init__()
        self.store = store

    def report(self, event):
        super().report(event)
        if event.NAME == "sequence-failed":
            if self.store:
                self.store.claimed.close()
            raise KeyboardInterrupt

    def end_process(self, status):
        raise KeyboardInterrupt


def test_a_cancelled_task_is_a_stop():
    sequence = hafta.Sequence("steps")

    @sequence.node
    async def work(run):
        run.checkpoint(1, path="/a")
        await asyncio.sleep(100)
        return hafta.EXIT

    async def cancel(store):
        task = asyncio.ensure_future(sequence.call_async(checkpoints=hafta.Checkpoints(store), runtime=FakeRuntime()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    lives = Lives(MemoryStore(), asynchronous=True)
    asyncio.run(cancel(lives.store))
    assert lives.doing("steps") == STOPPED
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

    lives.ends(
        Program(lives, "work", does={"work": "stop"}).sequence, "stop"
    )  # so that all is loaded that is loaded late
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
            missed += sum(not one.doing.stopped for one in lives.record("steps"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert stopped > 100
    assert missed <= 5
    assert max(attempts) <= missed


@pytest.mark.parametrize("over", [False, True])
def test_a_store_that_fails_does_not_keep_a_process_from_stopping(lives, over):
    """Neither in a node nor at the end of the call."""
    store = Refused(lives.store)
    in_it = (at(1), lambda _run: store.claimed.close(), "stop")
    program = Program(lives, "work", does={"work": ["fail"] * 5 if over else [in_it]})
    lives.ends(program.sequence, "stop", runtime=Impatient(store), store=store)
    (event,) = lives.events("store-trouble")
    assert event.action == "the next call takes this stop for a crash"
    assert over or "closed" in event.reason


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
        (one,) = lives.record("steps")
        counts.append((one.attempt, one.doing))
    assert counts == [(0, RUNS), (1, STOPPED), (1, RUNS)]


def test_stopped_when_all_is_over_there_is_nothing_to_resume(lives):
    lives.ends(Program(lives, "work", does={"work": ["fail"] * 5}).sequence, "stop", runtime=Impatient())
    assert lives.record("steps") == ()


def test_stopped_in_a_panic_what_the_node_has_begun_is_still_to_be_undone(lives):
    program = Program(lives, "work", does={"work": at(1, "fail")})
    program.sequence.nodes["work"].policy(lambda _run, _event: hafta.PANIC)
    lives.ends(program.sequence, "stop", runtime=Impatient())
    assert lives.doing("steps") == STOPPED


@pytest.mark.parametrize(
    ("way", "doing", "told"),
    [
        ("stop", STOPPED, ("work", True, True)),
        ("die", RUNS, ("work", True, False)),
        ("die asleep", NEXT, ("next", False, False)),
    ],
)
def test_what_became_of_the_earlier_process_is_recorded_and_reported(lives, way, doing, told):
    program = Program(lives, "work*", "next", does={"work": [] if "asleep" in way else way})
    program.sequence.nodes["work"].policy(judged(hafta.NORMAL_SUCCESS, delay=1))
    lives.ends(program.sequence, way)
    assert lives.doing("steps") == doing
    assert lives.run(program.sequence)
    (event,) = lives.events("resumed")
    assert (event.node, event.begun, event.stopped) == told


def nested(lives, *outer):
    return Program(lives, *outer, name="outer", inner=Program(lives, "put", name="inner"))


def test_a_checkpoint_in_a_finally_does_not_forget_the_inner_sequence_that_was_stopped(lives):
    outer = nested(lives, "load")
    outer.inner.say("put", at(1, "stop", path="/a"))

    def load(run):
        try:
            run.call(outer.inner.sequence)
        finally:
            run.checkpoint(2)

    lives.ends(outer.say("load", load, "call").sequence, "stop")
    stands = [(one.checkpoint, one.doing) for one in lives.record("outer")]
    assert stands == [(2, RUNS), (1, STOPPED)]
    lives.said.clear()
    assert lives.run(outer.sequence)
    assert lives.told == "load 0, undo put 1 path='/a', put 0"


def test_a_node_that_goes_on_after_a_stop_in_an_inner_sequence_has_left_that_one(lives):
    outer = nested(lives, "load", "last")
    outer.inner.say("put", at(1, "stop"))

    def load(run):
        with contextlib.suppress(KeyboardInterrupt):
            run.call(outer.inner.sequence)
        run.checkpoint(2)

    lives.ends(outer.say("load", load).say("last", "stop").sequence, "stop")
    assert [(one.node, one.doing) for one in lives.record("outer")] == [("last", STOPPED)]


def test_a_rollback_that_failed_before_it_had_begun_is_not_taken_for_that_of_the_next_node():
    """Its own beginning is on record before a stop meets the machine on its way to the node that is next."""
    for number in itertools.count(1):
        lives = Lives(MemoryStore(), asynchronous=False)
        program = Program(lives, "first*", "work", "repair", does={"work": "fail"})
        program.sequence.nodes["work"].policy(judged(hafta.ROLLBACK_FAIL, hafta.proceed("repair")))
        runtime = FakeRuntime()
        runtime.force("work", OSError(5, "no"), function="rollback")
        points = Points(number, only=lambda code: code.co_filename.endswith("engine/machine.py"))
        try:
            with points.watch():
                lives.run(program.sequence, runtime=runtime)
        except KeyboardInterrupt:
            pass
        if points.cut is None:
            break
        begun = ("repair", 0) in lives.said
        lives.said.clear()
        assert lives.run(program.sequence)
        assert begun or ("undo repair", 0, {}) not in lives.said
    assert number > 100
