"""The warm parent with real processes: it replaces what dies, ends with what ends well, and outlives nobody."""

import itertools
import signal
import subprocess
import sys
import time

import pytest
from processes import PATIENCE, Child, JournalChild, body, is_alive, sequence, wait_until
from warm_support import children, kill, once, waiting, worker


def test_a_killed_worker_is_replaced_and_the_overlord_hears_ready_once():
    with Child(waiting()) as child:
        first = worker(child)
        kill(first)
        second = worker(child)
        assert first != second
        child.wait_told(f"[worker {second}, 1 replaced, the last one was killed by SIGKILL in work]")
        assert child.stop()[0] == 0
        assert child.drain().count("READY=1") == 1
        assert not is_alive(second)


def test_the_standby_takes_over_and_another_one_waits():
    with Child(waiting(), "--standby=0") as child:
        parent = child.process.pid
        first = worker(child)
        wait_until(lambda: len(children(parent)) == 2, "a standby")
        (standby,) = set(children(parent)) - {first}
        kill(first)
        assert worker(child) == standby
        wait_until(lambda: len(children(parent)) == 2, "another standby")


def test_a_standby_that_dies_is_replaced_by_another_and_nobody_notices():
    with Child(waiting(), "--standby=0") as child:
        parent, first = child.process.pid, worker(child)
        wait_until(lambda: len(children(parent)) == 2, "a standby")
        (standby,) = set(children(parent)) - {first}
        kill(standby)
        wait_until(lambda: not is_alive(standby), "its end")
        wait_until(lambda: len(children(parent)) == 2, "another standby")
        kill(first)
        assert worker(child) not in {first, standby}


def test_without_a_standby_the_next_worker_is_forked():
    with Child(waiting(), "--standby=-1") as child:
        first = worker(child)
        kill(first)
        assert worker(child) != first
        assert len(children(child.process.pid)) == 1


def test_neither_worker_nor_standby_outlives_the_parent():
    with Child(waiting(), "--standby=0") as child:
        parent = child.process.pid
        worker(child)
        wait_until(lambda: len(children(parent)) == 2, "a standby")
        both = children(parent)
        kill(parent)
        child.process.wait()
        wait_until(lambda: not any(map(is_alive, both)), "the end of both")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_all_of_it_with_status_0(signum):
    with Child(waiting(), "--standby=0") as child:
        worker(child)
        wait_until(lambda: len(children(child.process.pid)) == 2, "a standby")
        both = children(child.process.pid)
        assert child.stop(signum)[0] == 0
        assert not any(map(is_alive, both))
        assert child.drain()[-2:].count("STOPPING=1") == 1


def test_a_worker_that_does_not_stop_is_killed_when_its_time_is_over():
    again = "print(f'work {os.getpid()}', flush=True)\n        time.sleep(60)"
    holds = f"while True:\n    try:\n        {again}\n    except BaseException:\n        pass"
    with Child(sequence(holds, ", warm=True"), "--stop=0.2", "--deadline=0") as child:
        pid = worker(child)
        status, seconds = child.stop()
        assert status == -signal.SIGKILL
        assert seconds < 5
        assert not is_alive(pid)


def test_it_ends_with_a_worker_that_has_done_its_work():
    with Child(sequence("run.say('done')", ", warm=True"), "--once") as child:
        assert child.finish()[0] == 0
        assert "STOPPING=1" in child.told


@pytest.mark.parametrize(("text", "status"), [("sys.exit(7)", 7), ("os.kill(os.getpid(), 11)", -signal.SIGSEGV)])
def test_a_first_worker_that_dies_before_it_is_ready_is_the_overlord_s_business(text, status):
    program = body(text).replace("(0,)), body))", "(0,)), body, warm=True))")
    with Child(program) as child:
        assert child.finish()[0] == status
        assert "READY=1" not in child.told


def test_as_process_1_which_no_signal_can_kill_the_status_says_the_signal_of_the_last_worker():
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--fork",
        "--pid",
        "--mount-proc",
        "--kill-child",
        sys.executable,
    ]
    program = sequence("os.kill(os.getpid(), 11)", ", warm=True")
    done = subprocess.run([*command, "-c", program, "--ladder=1"], check=False, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 128 + signal.SIGSEGV, done.stderr


def test_a_wrong_setting_ends_it_with_two_lines_and_status_2():
    with Child(waiting(), "--deadline=0.01") as child:
        status, _, err = child.finish()
        assert status == 2
        assert err.splitlines()[0] == "feed: error: --deadline: '0.01' is not 0, or a number of seconds from 0.05 on"


def test_a_failing_worker_does_not_stop_the_unit(tmp_path):
    """STOPPING=1 of a worker that fails would make systemd end the whole unit."""
    with Child(once("raise SystemExit(3)"), FLAG=str(tmp_path / "flag")) as child:
        worker(child)
        worker(child)
        child.wait_told("1 replaced, the last one ended with status 3 in work")
        assert "STOPPING=1" not in child.told


def test_what_a_stranger_sends_to_the_parent_is_not_passed_on():
    """A child of the worker is not the worker."""
    text = """
run.say(f'work {os.getpid()}')
if os.fork() == 0:
    import socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"STATUS=a stranger\\nSTOPPING=1", chr(0) + run.runtime.address[1:])
    os._exit(0)
os.wait()
run.sleep(600)
"""
    program = "import hafta.systemd.notify as n\n" + sequence(
        text.replace("run.runtime.address", "n.ADDRESS"), ", warm=True"
    )
    program = program.replace("import hafta.systemd.notify as n", SPY)
    with Child(program) as child:
        pid = worker(child)
        kill(pid)
        worker(child)
        child.wait_told("1 replaced")
        assert not [line for line in child.told if "stranger" in line or "STOPPING" in line]


SPY = """
import hafta.systemd.notify as n
_begin = n.Notifier.__init__
def spy(self, environ, *more):
    n.ADDRESS = environ.get("NOTIFY_SOCKET", "")
    _begin(self, environ, *more)
n.Notifier.__init__ = spy
"""


def test_crashes_in_a_row_are_held_back_and_counted_in_the_file_and_the_last_rung_ends_the_parent(tmp_path):
    with JournalChild(waiting(), "--ladder=6", RUNTIME_DIRECTORY=str(tmp_path)) as child:
        for _ in range(6):
            kill(worker(child))
        held = child.wait_entry("service-held-back")
        assert (held["HAFTA_CRASHES"], held["HAFTA_DELAY_USEC"]) == ("6", "100000")
        kill(worker(child))
        assert child.finish()[0] == -signal.SIGKILL
        entry = child.wait_entry("warm-given-up")
        assert entry["HAFTA_CRASHES"] == "7"
    with JournalChild(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        assert child.wait_entry("service-held-back")["HAFTA_CRASHES"] == "7"
        worker(child)
        assert child.stop()[0] == 0
    with JournalChild(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        worker(child)
        assert "service-held-back" not in {entry["HAFTA_EVENT"] for entry in child.entries()}


def test_a_stop_while_the_next_worker_is_held_back_ends_it(tmp_path):
    with JournalChild(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        for _ in range(8):
            kill(worker(child))
            child.unseen = child.entries()  # a socket that nobody reads takes ten, and then drops
        wait_until(lambda: child.wait_entry("service-held-back")["HAFTA_CRASHES"] == "8", "the eighth")
        assert child.stop()[0] == 0


def test_a_replacement_is_an_entry_that_says_who_died_where_and_how():
    with JournalChild(waiting()) as child:
        first = worker(child)
        kill(first, signal.SIGSEGV)
        second = worker(child)
        entry = child.wait_entry("worker-replaced")
        found = {name: entry[f"HAFTA_{name}"] for name in ("WORKER", "BY", "REASON", "REPLACED", "NODE", "SEQUENCE")}
        assert found == {
            "WORKER": str(first), "BY": str(second), "REASON": "was killed by SIGSEGV in work", "REPLACED": "1",
            "NODE": "work", "SEQUENCE": "feed",
        }  # fmt: skip


def test_the_entry_of_a_replacement_says_how_long_no_worker_was_ready():
    """The standby is stopped, so the test decides when the next worker is ready."""
    with JournalChild(waiting(), "--standby=0") as child:
        first = worker(child)
        wait_until(lambda: len(children(child.process.pid)) == 2, "a standby")
        (standby,) = set(children(child.process.pid)) - {first}
        kill(standby, signal.SIGSTOP)
        began = time.monotonic()
        kill(first)
        wait_until(lambda: not is_alive(first), "its end")
        ended = time.monotonic()
        wait_until(lambda: time.monotonic() > ended + 0.2, "a while")
        assert not any("worker-replaced" in entry.values() for entry in child.entries())
        until = time.monotonic()
        kill(standby, signal.SIGCONT)
        entry = child.wait_entry("worker-replaced")
        usec = int(entry["HAFTA_DOWN_USEC"])
        assert (until - ended) * 1e6 - 1 <= usec <= (time.monotonic() - began) * 1e6
        assert entry["HAFTA_READY"] == "1"


#: Worker 1 works, worker 2 dies before it is ready, the next ones work. `place` is a file of the test.
SECOND_FAILS = """
place = os.environ["PLACE"]
with open(place, "a+") as file:
    file.write("x")
    file.seek(0)
    count = len(file.read())
if count == 2:
    os._exit(3)
service.ready()
print(f"work {os.getpid()}", flush=True)
service.sleep(600)
"""


def test_a_replacement_that_dies_before_it_is_ready_is_an_entry_too(tmp_path):
    program = body(SECOND_FAILS).replace("(0,)), body))", "(0,)), body, warm=True))")
    with JournalChild("import os\n" + program, PLACE=str(tmp_path / "place")) as child:
        first = worker(child)
        kill(first)
        third = worker(child)
        one, two = (child.wait_entry("worker-replaced") for _ in range(2))
        assert (one["HAFTA_WORKER"], one["HAFTA_READY"]) == (str(first), "0")
        assert (two["HAFTA_WORKER"], two["HAFTA_BY"], two["HAFTA_READY"]) == (one["HAFTA_BY"], str(third), "1")
        assert two["HAFTA_REASON"] == "ended with status 3"
        assert int(one["HAFTA_DOWN_USEC"]) < int(two["HAFTA_DOWN_USEC"])


def test_it_works_by_hand_without_an_overlord():
    with Child(waiting(), NOTIFY_SOCKET="") as child:
        kill(worker(child))
        worker(child)
        assert child.stop()[0] == 0


@pytest.mark.parametrize(("environ", "options", "warm"), [
    ({"HAFTA_WARM": "1"}, (), True),
    ({}, ("--warm",), True),
    ({"HAFTA_WARM": "0"}, ("--warm",), True),
    ({"HAFTA_WARM": "0"}, (), False),
    ({}, ("--warm=no",), False),
    ({}, (), False),
])  # fmt: skip
def test_it_is_warm_where_it_is_asked_for(environ, options, warm):
    with Child(sequence("run.say(f'work {os.getpid()}')\nrun.sleep(600)"), *options, **environ) as child:
        assert (worker(child) != child.process.pid) == warm


@pytest.mark.parametrize("standby", ["0", "-1"])
def test_its_processes_have_names(standby):
    """A standby that takes over is a worker from then on."""
    with Child(waiting(), f"--standby={standby}") as child:
        first = worker(child)
        wait_until(lambda: len(children(child.process.pid)) == 2 - (standby == "-1"), "a standby")
        kill(first)
        pid = worker(child)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert file.read().rstrip(b"\0") == b"feed: worker"
        with open(f"/proc/{pid}/comm") as file:
            assert file.read() == "feed: worker\n"


def test_the_watchdog_is_fed_while_the_worker_waits_and_not_while_a_hung_one_is_ended(tmp_path):
    """The worker ignores SIGABRT: it is killed when its grace is over, and until then the overlord hears nothing."""
    program = once("run.sleep(0.3)\nimport signal\nsignal.signal(6, signal.SIG_IGN)\ntime.sleep(100)")
    more = {"WATCHDOG_USEC": "100000", "FLAG": str(tmp_path / "flag")}
    with Child(program, "--deadline=0.05", "--grace=1", **more) as child:
        worker(child)
        pings, start = [], time.monotonic()
        while len(pings) < 12:
            child.told.clear()
            child.receive(PATIENCE)
            pings += [time.monotonic() - start] * child.told.count("WATCHDOG=1")
        gaps = sorted(later - before for before, later in itertools.pairwise(pings))
        assert gaps[-1] > 0.9
        assert gaps[-2] < 0.5
