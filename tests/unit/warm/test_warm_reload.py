"""SIGHUP: new code without an end of the service; what cannot be started leaves the old one as it is."""

import os
import signal
import time

import pytest
from processes import Child, JournalChild, is_alive, wait_until
from warm_support import children, kill, worker

#: A program in a file, which a test changes. It prints its version and its pid.
PROGRAM = """
import os, sys, time
import hafta, hafta.service

feed = hafta.Sequence("feed")

@feed.node
def work(run):
    print(f"{VERSION} {os.getpid()}", flush=True)
    run.sleep(600)

sys.exit(hafta.service.run(feed, warm=True))
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    write(path, "work")
    return path


def write(path, version):
    path.write_text(PROGRAM.replace("{VERSION}", version))


def start(path, *options, kind=Child):
    return kind([str(path)], *options)


@pytest.mark.parametrize("standby", ["0", "-1"])
def test_new_code_takes_over_in_the_same_process_and_the_old_worker_ends_first(program, standby):
    with start(program, f"--standby={standby}") as child:
        parent, old = child.process.pid, worker(child)
        write(program, "new")
        child.process.send_signal(signal.SIGHUP)
        child.wait_told("RELOADING=1")
        child.wait_told("MONOTONIC_USEC=")
        new = int(child.wait_line("new ").split()[1])
        child.wait_told("READY=1", 2)
        assert not is_alive(old)
        assert new in children(parent)
        kill(new)
        assert int(child.wait_line("new ").split()[1]) != new
        child.wait_told("the last one was killed by SIGKILL in work")
        assert child.stop()[0] == 0


def test_the_old_worker_works_on_while_the_new_program_is_imported(program):
    with start(program) as child:
        old = worker(child)
        write(program, "new")
        program.write_text(f"import time\ntime.sleep(0.5)\n{program.read_text()}")
        child.process.send_signal(signal.SIGHUP)
        child.wait_told("RELOADING=1")
        time.sleep(0.7)  # the check is over, and the parent imports
        assert is_alive(old)
        child.wait_line("new ")
        assert not is_alive(old)


def test_the_counts_go_on(program):
    with start(program) as child:
        for _ in range(2):
            kill(worker(child))
        worker(child)
        child.wait_told(", 2 replaced")  # until then a reload is refused
        child.process.send_signal(signal.SIGHUP)
        worker(child)
        child.wait_told(", 3 replaced, the last one ended with status 0")


REFUSED = {
    "def (": "the check of the new program ended with status 1",
    "import os, signal\nos.kill(os.getpid(), 9)": "the check of the new program was killed by SIGKILL",
    PROGRAM.replace("warm=True", "warm=False"): "the check of the new program ended with status 2",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_program_that_cannot_take_over_leaves_the_old_one_as_it_is(program, text):
    with start(program, kind=Journaled) as child:
        old = worker(child)
        program.write_text(text)
        child.process.send_signal(signal.SIGHUP)
        assert child.wait_entry("reload-refused")["HAFTA_REASON"] == REFUSED[text]
        child.wait_told("READY=1", 2)
        assert is_alive(old)
        assert child.stop()[0] == 0


class Journaled(JournalChild):
    """A program in a file with its stderr leading to the journal."""

    def __init__(self, program, *options, **environ):
        code = f"import sys, runpy\nsys.argv[0] = {program[0]!r}\nrunpy.run_path({program[0]!r}, run_name='__main__')\n"
        super().__init__(code, *options, **environ)


def test_a_stop_during_a_reload_ends_it(program):
    with start(program) as child:
        worker(child)
        program.write_text(f"import time\ntime.sleep(60)\n{program.read_text()}")
        child.process.send_signal(signal.SIGHUP)
        child.wait_told("RELOADING=1")
        wait_until(lambda: len(children(child.process.pid)) >= 2, "the check")
        below = children(child.process.pid)
        assert child.stop()[0] == 0
        assert not any(map(is_alive, below))


def settled(pid):
    """Return how many descriptors and children a process has, once that stays: what follows READY is over."""
    looks = []
    while len(set(looks[-20:])) != 1 or len(looks) < 20:
        looks.append((len(os.listdir(f"/proc/{pid}/fd")), len(children(pid))))
        time.sleep(0.01)
    return looks[-1]


def test_many_reloads_leave_nothing_behind(program):
    with start(program, "--standby=-1") as child:
        worker(child)
        seen = []
        for number in range(4):
            child.process.send_signal(signal.SIGHUP)
            worker(child)
            child.wait_told("READY=1", number + 2)
            seen.append(settled(child.process.pid))
        assert set(seen) == {seen[0]}


def test_without_an_overlord_sighup_ends_it_as_the_terminal_that_is_gone(program):
    with Child([str(program)], NOTIFY_SOCKET="") as child:
        worker(child)
        assert child.stop(signal.SIGHUP)[0] == 0


def test_a_stranger_s_variable_makes_the_parent_adopt_nobody(program):
    with Child([str(program)], HAFTA_WARM_HEIR="0 1 2 1 0 0") as child:
        worker(child)
        assert child.stop()[0] == 0
