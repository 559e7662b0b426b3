"""One holder at a time: docs/durable-rules.md, 2.1; docs/store.md."""

import os
import signal
import threading
import time

import pytest
from durable_support import Died, Lives, Program, at

import hafta
from hafta.engine.resume import RUNS
from hafta.errors import StoreError
from hafta.stores import FileStore
from hafta.testing import FakeRuntime


def test_a_call_inside_of_the_same_call_is_refused_and_says_who_has_it(lives):
    refusals = []

    def again(run):
        with pytest.raises(StoreError) as caught:
            program.sequence.call(runtime=FakeRuntime(), checkpoints=hafta.Checkpoints(lives.store))
        refusals.append(caught.value)

    program = Program(lives, "work").say("work", again)
    assert lives.run(program.sequence)
    (error,) = refusals
    assert error.kind == "held"
    assert f"held by this process itself, pid {os.getpid()}" in error.message
    assert "since 20" in error.message
    assert "another instance=" in error.hint


def test_another_thread_is_refused_while_the_first_one_runs(lives):
    inside, leave, kinds = threading.Event(), threading.Event(), []

    def wait(run):
        inside.set()
        assert leave.wait(30)

    program = Program(lives, "work").say("work", wait)
    first = threading.Thread(
        target=lambda: program.sequence.call(runtime=FakeRuntime(), checkpoints=hafta.Checkpoints(lives.store))
    )
    first.start()
    try:
        assert inside.wait(30)
        with pytest.raises(StoreError) as caught:
            lives.run(program.sequence)
        kinds.append(caught.value.kind)
    finally:
        leave.set()
        first.join()
    assert kinds == ["held"]
    assert lives.run(program.sequence)


def test_another_process_is_refused_and_told_the_pid_and_resumes_when_the_first_one_is_killed(tmp_path):
    lives = Lives(FileStore(str(tmp_path)), asynchronous=False)
    ready, ready_child = os.pipe()

    def hang(run):
        run.checkpoint(3, n=1)
        os.write(ready_child, b"x")
        signal.pause()

    program = Program(lives, "work").say("work", hang)
    pid = os.fork()
    if pid == 0:
        try:
            lives.run(program.sequence)
        finally:
            os._exit(1)
    try:
        assert os.read(ready, 1) == b"x"
        with pytest.raises(StoreError) as caught:
            lives.run(program.sequence)
        assert caught.value.kind == "held"
        assert f"held by pid {pid}" in caught.value.message
        snapshot = lives.store.peek("steps")
        assert (snapshot.held, snapshot.holder.pid) == (True, pid)
        assert abs(snapshot.holder.since - time.time()) < 60
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(ready_child)
    program.does.clear()
    assert lives.run(program.sequence)
    assert lives.said == [("undo work", 3, {"n": 1}), ("work", 1)]


def test_a_running_call_can_be_looked_at_without_touching_it(lives):
    seen = []

    def look(run):
        run.checkpoint(5, path="/a")
        seen.append(lives.record("steps"))
        assert lives.store.peek("steps").held

    program = Program(lives, "first", "work").say("first", at(1, n=1)).say("work", look)
    assert lives.run(program.sequence)
    ((level,),) = seen
    assert (level.sequence, level.node, level.doing, level.attempt) == ("steps", "work", RUNS, 0)
    assert (level.checkpoint, level.state) == (5, {"path": "/a"})
    assert [(visit.node, visit.checkpoint, visit.state) for visit in level.stack] == [("first", 1, {"n": 1})]
    assert level.nodes == ("first", "work")


@pytest.mark.parametrize(
    ("actions", "ends"),
    [
        ([], True),
        (["fail"] * 5, False),
        ([lambda run: "nowhere"], hafta.IllegalMove),
        (["stop"], KeyboardInterrupt),
        (["die"], Died),
    ],
    ids=["success", "failure", "mistake", "stop", "death"],
)
def test_the_claim_is_given_up_however_the_call_ends(lives, actions, ends):
    program = Program(lives, "work", does={"work": actions})
    if isinstance(ends, bool):
        assert lives.run(program.sequence).ok is ends
    else:
        with pytest.raises(ends):
            lives.run(program.sequence)
    lives.store.claim("steps").close()


def test_checkpoints_of_other_threads_are_recorded(lives):
    def work(run):
        threads = [threading.Thread(target=lambda n=n: run.checkpoint(1, **{f"n{n}": n})) for n in range(4)]
        for thread in threads:
            thread.start()
            thread.join()
        raise KeyboardInterrupt

    program = Program(lives, "work").say("work", work)
    with pytest.raises(KeyboardInterrupt):
        lives.run(program.sequence)
    assert lives.record("steps")[0].state == {f"n{n}": n for n in range(4)}
