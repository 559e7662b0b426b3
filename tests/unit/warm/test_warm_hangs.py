"""A hang of any kind is found at its deadline, its stacks are shown, and it is replaced; all else is left alone."""

import os
import signal
import time

import pytest
from processes import Child, JournalChild, sequence, state_of, wait_until
from warm_support import kill, once, waiting, worker

HANGS = {
    "a busy loop": "while True: pass",
    "a sleep": "time.sleep(600)",
    "a blocked read": "os.read(os.pipe()[0], 1)",
    "it stops itself": "os.kill(os.getpid(), 19)",
    "a C call that holds the GIL": "import re; re.match('(a*)*b', 'a' * 40)",
}


@pytest.mark.parametrize("hang", HANGS)
def test_a_hang_is_replaced_and_its_stacks_are_shown(hang, tmp_path):
    program = once(f"run.sleep(0.2)\nrun.say('hangs')\n{HANGS[hang]}")
    with Child(program, "--deadline=0.1", FLAG=str(tmp_path / "flag")) as child:
        first = worker(child)
        child.wait_line("hangs")
        since = time.monotonic()
        assert worker(child) != first
        took = time.monotonic() - since
        child.wait_told("1 replaced, the last one hung in work: no progress for ")
        assert child.stop()[0] == 0
        err = child.finish()[2]
        assert 'File "<string>"' in err and " in work" in err and "Current thread" in err  # noqa: PT018
        assert took < 5


def test_a_stopped_worker_is_found_in_the_middle_of_a_long_wait():
    """It had announced half a second, and is found after its deadline of 0.05 s: SIGCHLD tells of the stop."""
    with Child(waiting(), "--deadline=0.05") as child:
        first = worker(child)
        kill(first, signal.SIGSTOP)
        assert worker(child) != first


def test_a_worker_that_was_stopped_for_a_moment_goes_on():
    with Child(waiting(), "--deadline=5") as child:
        first = worker(child)
        kill(first, signal.SIGSTOP)
        kill(first, signal.SIGCONT)
        assert child.stop()[0] == 0
        assert "worker-replaced" not in "".join(child.told)
        assert not [line for line in child.told if "replaced" in line]


def test_a_worker_that_ignores_sigabrt_is_killed_after_its_grace(tmp_path):
    program = once("import signal\nsignal.signal(6, signal.SIG_IGN)\ntime.sleep(600)")
    with JournalChild(program, "--deadline=0.05", "--grace=0.1", FLAG=str(tmp_path / "flag")) as child:
        first = worker(child)
        assert worker(child) != first
        entry = child.wait_entry("worker-hung")
        assert (entry["HAFTA_WORKER"], entry["HAFTA_NODE"]) == (str(first), "work")
        assert "hung in work" in child.wait_entry("worker-replaced")["HAFTA_REASON"]


FINE = {
    "steps that are shorter than the deadline": "for n in range(20):\n    time.sleep(0.02)\n    run.progress()",
    "checkpoints": "for n in range(20):\n    time.sleep(0.02)\n    run.checkpoint(n)",
    "a wait of its own": "run.sleep(1)",
    "a wait that ends early": "import os\nr, w = os.pipe()\nos.write(w, b'x')\nrun.wait(r, 5)\nrun.sleep(0.3)",
}


@pytest.mark.parametrize("work", FINE)
def test_what_is_no_hang_is_left_alone(work):
    with Child(sequence(f"{FINE[work]}\nrun.say(f'work {{os.getpid()}}')", ", warm=True"), "--deadline=0.1") as child:
        assert {worker(child) for _ in range(3)} == {worker(child)}
        assert child.stop()[0] == 0
        assert not [line for line in child.told if "replaced" in line]


def test_a_hang_after_a_wait_that_ended_early_is_found_at_its_deadline(tmp_path):
    """The wait had announced half a second: the worker wakes its parent, which would come too late."""
    program = once("r, w = os.pipe()\nos.write(w, b'x')\nrun.wait(r, 30)\nrun.say('hangs')\ntime.sleep(600)")
    took = []
    while len(took) < 10 and min(took, default=1.0) > 0.45:  # a busy machine is late, too, but not each time
        with Child(program, "--deadline=0.05", FLAG=str(tmp_path / f"flag{len(took)}")) as child:
            worker(child)
            child.wait_line("hangs")
            start = time.monotonic()
            worker(child)
            took.append(time.monotonic() - start)
    assert min(took) <= 0.45


def test_a_deadline_of_0_switches_the_judging_off(tmp_path):
    """A debugger stops the worker for as long as it likes."""
    with Child(waiting(), "--deadline=0") as child:
        first = worker(child)
        kill(first, signal.SIGSTOP)
        wait_until(lambda: state_of(first) == "T", "it is stopped")
        time.sleep(1.2)  # more than the standard deadline
        kill(first, signal.SIGCONT)
        os.kill(first, 0)
        assert child.stop()[0] == 0
        assert not [line for line in child.told if "replaced" in line]


def test_a_start_that_takes_too_long_is_ended():
    program = sequence("pass", ", warm=True, ready=False, data=lambda values: time.sleep(600)")
    program = "import hafta.service.warm.parent as p\np.START = 0.3\n" + program
    with Child(program) as child:
        assert child.finish()[0] == -signal.SIGABRT


ASYNC = """
import asyncio, os, sys, time
import hafta, hafta.service

feed = hafta.Sequence("feed")

@feed.node
async def work(run):
    print(f"work {{os.getpid()}}", flush=True)
    {body}

sys.exit(hafta.service.run(feed, warm=True))
"""


def test_tasks_that_wait_do_not_cut_short_each_other_s_waits():
    """One beats and ends, while another one waits longer than a deadline: both share one beat."""
    body = (
        "async def short():\n        run.progress()\n    await asyncio.gather(run.sleep(0.5), short())\n    return work"
    )
    with Child(ASYNC.format(body=body), "--deadline=0.05") as child:
        assert len({worker(child) for _ in range(4)}) == 1
        assert child.stop()[0] == 0


def test_code_that_blocks_the_event_loop_is_a_hang():
    with Child(ASYNC.format(body="await run.sleep(0.1)\n    time.sleep(600)"), "--deadline=0.1") as child:
        assert worker(child) != worker(child)
        child.wait_told("the last one hung in work")
