"""After the fork: each entry of the list of resets, and what others reset, in a real worker."""

import os
import signal

import pytest
from processes import Child, JournalChild, sequence, wait_until
from warm_support import WAITS, kill, waiting, worker

from hafta.service.warm.worker import RESETS

SHOW = 'print(f"work {os.getpid()}")\nprint("shows", (%s), flush=True)\nrun.sleep(600)'
LINKS = """
def links():
    found = []
    for fd in sorted(map(int, os.listdir('/proc/self/fd')))[3:]:
        try:
            found.append(os.readlink(f'/proc/self/fd/{fd}').split(':')[0].split(' ')[0])
        except OSError:
            pass
    return sorted(found)
"""

#: Each reset, what a worker shows of it, and what it shows then.
SHOWN = {
    "forget_handlers": ("signal.getsignal(signal.SIGCHLD), signal.set_wakeup_fd(-1)", "(<Handlers.SIG_DFL: 0>, -1)"),
    # The page, which is mapped, and the kick; and the worker's own socket, to its parent.
    "close_descriptors": ("links()", "['/memfd', '/memfd', 'anon_inode', 'socket']"),
    "rename": ("open('/proc/self/comm').read().strip()", "feed: worker"),
    "die_first": ("int(open('/proc/self/oom_score_adj').read()) - int(os.environ['SCORE'])", "100"),
    "unblock": ("signal.pthread_sigmask(signal.SIG_BLOCK, ())", "set()"),
}
BEFORE = f"import os, signal\n{LINKS}"


@pytest.mark.parametrize("step", SHOWN)
def test_a_worker_does_not_have_what_is_its_parent_s(step):
    shown, expected = SHOWN[step]
    with open("/proc/self/oom_score_adj") as file:
        score = file.read().strip()
    program = BEFORE + sequence(SHOW % shown, ", warm=True")
    with Child(program, SCORE=str(min(900, int(score)))) as child:
        for _ in range(2):  # the first worker, and one that follows another
            pid = worker(child)
            assert child.wait_line("shows ") == f"shows {expected}"
            kill(pid)


def test_each_reset_is_tested():
    assert {step.__name__ for step in RESETS} == {*SHOWN, "die_with_parent"}


def test_sighup_is_the_parent_s(tmp_path):
    """`systemctl kill -s HUP` reaches everybody in the group."""
    with Child(waiting()) as child:
        pid = worker(child)
        kill(pid, signal.SIGHUP)
        kill(pid, signal.SIGKILL)
        assert worker(child) != pid
        child.wait_told("the last one was killed by SIGKILL")


@pytest.mark.parametrize(
    ("shown", "differs"),
    [
        ("__import__('random').random()", True),
        ("os.environ.get('NOTIFY_SOCKET'), os.environ.get('WATCHDOG_USEC')", False),
        ("__import__('faulthandler').is_enabled()", False),
        ("run.runtime.watchdog.period, run.runtime.notifier.enabled", False),
    ],
)
def test_two_workers_differ_where_they_should(shown, differs):
    with Child("import random\n" + sequence(SHOW % shown, ", warm=True"), WATCHDOG_USEC="5000000") as child:
        seen = []
        for _ in range(2):
            pid = worker(child)
            seen.append(child.wait_line("shows "))
            kill(pid)
        assert (seen[0] != seen[1]) == differs
    assert differs or seen[0] in {"shows (None, None)", "shows True", "shows (None, True)"}


def test_the_entries_of_each_worker_are_numbered_from_1():
    fails = "if not run.attempt: return run.fail('no')"
    with JournalChild(sequence(f"{fails}\n{WAITS}", ", warm=True")) as child:
        for _ in range(2):
            pid = worker(child)
            assert child.wait_entry("rolled-back")["HAFTA_NUMBER"] == "1"
            kill(pid)


def test_a_worker_does_not_count_starts(tmp_path):
    """Parent and worker would both hold back, and the parent counts."""
    with Child(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        pid = worker(child)
        before = (tmp_path / "feed.starts").read_bytes()
        kill(pid)
        worker(child)
        wait_until(lambda: (tmp_path / "feed.starts").read_bytes() != before, "the parent counts")
        assert sorted(os.listdir(tmp_path)) == ["feed-feed.graph", "feed.board", "feed.hafta", "feed.starts"]
