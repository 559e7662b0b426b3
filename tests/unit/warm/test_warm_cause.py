"""The next worker knows how the last one ended: in the reason, in the journal, in policies."""

import signal

import pytest
from processes import Child, JournalChild, run_python
from warm_support import kill, worker

from hafta.death import HANG, TIMEOUT, Death, from_overlord
from hafta.durable.resume import Interrupted, TimedOut
from hafta.engine.words import FAIL_SEQUENCE
from hafta.errors import NodeTimeout
from hafta.policies import Hung, Killed, On

#: A durable service: the first worker does `{body}` in its node, the next ones say why and wait.
PROGRAM = """
import os, sys, time, signal
import hafta, hafta.service
from hafta.policies import Attempts, Hung, Killed, On

feed = hafta.Sequence("feed")
inner = hafta.Sequence("inner")

@inner.node
def slow(run):
    time.sleep(600)
    return hafta.EXIT

@feed.node({options})
def work(run):
    again = run.reason is not None
    run.checkpoint(1)
    print(f"work {os.getpid()}", flush=True)
    if again:
        run.sleep(600)
    {body}
    run.sleep(600)
    return hafta.EXIT

@work.rollback
def undo(run, checkpoint):
    cause = getattr(run.reason, "cause", None)
    print("undo", checkpoint, type(run.reason).__name__, isinstance(run.reason, hafta.NodeTimeout), cause, flush=True)

sys.exit(hafta.service.run(feed, warm=True, checkpoints=hafta.service.state_checkpoints()))
"""


def program(body="pass", options=""):
    return PROGRAM.replace("{body}", body).replace("{options}", options)


def undone(child):
    return child.wait_line("undo ").partition(" ")[2]


@pytest.mark.parametrize("standby", ["0", "-1"])
def test_a_kill_is_the_cause_of_the_interruption(standby, tmp_path):
    with Child(program(), f"--standby={standby}", STATE_DIRECTORY=str(tmp_path)) as child:
        pid = worker(child)
        kill(pid)
        assert undone(child) == "1 Interrupted False was killed by SIGKILL in work"
        child.wait_told("1 replaced")
        assert child.stop()[0] == 0


def test_a_hang_is_the_cause(tmp_path):
    with Child(program("time.sleep(600)"), "--deadline=0.1", STATE_DIRECTORY=str(tmp_path)) as child:
        worker(child)
        assert undone(child).startswith("1 Interrupted False hung in work: no progress for 0.")


def test_a_synchronous_node_that_does_not_return_in_time_fails_with_node_timeout(tmp_path):
    """It makes progress all the time: no watchdog would ever find it."""
    body = "while True:\n        run.progress()"
    with Child(program(body, "timeout=0.3"), STATE_DIRECTORY=str(tmp_path)) as child:
        worker(child)
        assert undone(child) == "1 TimedOut True took too long in work: longer than its timeout of 0.3 s"


def test_a_wait_that_the_timeout_ends_costs_no_process(tmp_path):
    patient = "import hafta.service.warm.steps\nhafta.service.warm.steps.SLACK = 60\n"  # on a busy machine, too
    with Child(patient + program("pass", "timeout=0.2"), STATE_DIRECTORY=str(tmp_path)) as child:
        worker(child)
        assert undone(child) == "1 NodeTimeout True None"
        assert child.stop()[0] == 0
        assert not [line for line in child.told if "replaced" in line]


def test_the_journal_says_how_the_process_ended(tmp_path):
    with JournalChild(program(), STATE_DIRECTORY=str(tmp_path)) as child:
        kill(worker(child), signal.SIGSEGV)
        worker(child)
        entry = child.wait_entry("resumed")
        assert entry["HAFTA_CAUSE"] == "was killed by SIGSEGV in work"
        assert entry["MESSAGE"].endswith("ago: it was killed by SIGSEGV in work")
        assert "it was killed by SIGSEGV" in child.wait_entry("rolled-back")["HAFTA_REASON"]


def test_a_policy_decides_by_the_signal(tmp_path):
    options = "policy=On(Killed(signal.SIGSEGV), hafta.FAIL_SEQUENCE) | Attempts(9)"
    with Child(program(options=options), "--standby=0", "--once", STATE_DIRECTORY=str(tmp_path)) as child:
        kill(worker(child))
        worker(child)
    with Child(
        program("os.kill(os.getpid(), 11)", options), "--ladder=1", STATE_DIRECTORY=str(tmp_path / "b")
    ) as child:
        worker(child)
        assert child.wait_line("Sequence was: ").startswith("Sequence was: feed failed at node work, attempt 1")


def test_a_cold_service_says_that_it_cannot_keep_the_timeout_of_a_synchronous_node(tmp_path):
    with Child(program(options="timeout=60"), "--warm=no", STATE_DIRECTORY=str(tmp_path)) as child:
        line = child.wait_line("timeout")
        assert line == (
            "timeout=60 of node work: without a warm parent (--warm),"
            " only the watchdog ends a function that does not return"
        )
    with Child(program(options="timeout=60"), STATE_DIRECTORY=str(tmp_path / "b")) as child:
        assert child.wait_line().startswith("work ")


def test_after_a_cold_restart_the_cause_is_unknown(tmp_path):
    with Child(program(), STATE_DIRECTORY=str(tmp_path)) as child:
        worker(child)
        kill(child.process.pid)
        child.process.wait()
    with Child(program(), STATE_DIRECTORY=str(tmp_path)) as child:
        assert undone(child) == "1 Interrupted False None"


@pytest.mark.parametrize("warm", ["yes", "no"])
def test_after_a_cold_restart_the_overlord_s_word_counts_once(warm, tmp_path):
    """ExecStopPost= of the unit has left it in the runtime directory."""
    more = {"STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    with Child(program(), **more) as child:
        kill(worker(child), signal.SIGSTOP)
        kill(child.process.pid)
        child.process.wait()
    (tmp_path / "last-end").symlink_to("watchdog:killed:ABRT")
    with Child(program(), f"--warm={warm}", **more) as child:
        assert undone(child) == "1 Interrupted False hung: the watchdog of its overlord ran out"
    assert not (tmp_path / "last-end").is_symlink()
    with Child(program(), f"--warm={warm}", **more) as child:
        assert undone(child) == "1 Interrupted False None"


@pytest.mark.parametrize("warm", ["yes", "no"])
def test_what_the_embedded_overlord_says_counts_and_children_are_not_told(warm, tmp_path):
    text = program("print('children', os.environ.get('HAFTA_LAST_END'), flush=True)")
    more = {"STATE_DIRECTORY": str(tmp_path), "HAFTA_LAST_END": "core-dump:dumped:SEGV"}
    with Child(text, f"--warm={warm}", **more) as child:
        assert child.wait_line("children") == "children None"
        kill(child.process.pid)
        child.process.wait()
    with Child(text, f"--warm={warm}", **more) as child:
        assert undone(child) == "1 Interrupted False was killed by SIGSEGV"


WORDS = {
    "signal:killed:KILL": "was killed by SIGKILL",
    "core-dump:dumped:SEGV": "was killed by SIGSEGV",
    "exit-code:exited:20": "ended with status 20",
    "oom-kill:killed:KILL": "was killed by the kernel: out of memory",
    "watchdog:killed:ABRT": "hung: the watchdog of its overlord ran out",
    "success:exited:0": None,
    "signal:killed:../../x": None,
    "exit-code:exited:999": None,
    "": None,
    "x": None,
}


@pytest.mark.parametrize("text", WORDS)
def test_the_overlord_s_words_are_read(text):
    found = from_overlord(text)
    assert (None if found is None else str(found)) == WORDS[text]


def interrupted(**death):
    return Interrupted(7, 0.5, stopped=False, cause=Death(7, **death))


@pytest.mark.parametrize(
    ("what", "reason", "holds"),
    [
        (Killed(), interrupted(signal=9), True),
        (Killed(), interrupted(status=1), False),
        (Killed(signal.SIGSEGV, signal.SIGBUS), interrupted(signal=7), True),
        (Killed(signal.SIGSEGV), interrupted(signal=9), False),
        (Killed(signal.SIGSEGV), Interrupted(7, 0.5, stopped=False), False),
        (Killed(signal.SIGSEGV), ExceptionGroup("x", [interrupted(signal=11)]), True),
        (Killed(signal.SIGSEGV), "text", False),
        (Hung(), interrupted(signal=6, why=HANG), True),
        (Hung(), interrupted(signal=6, why=TIMEOUT), True),
        (Hung(), interrupted(signal=6), False),
    ],
)
def test_what_a_death_is(what, reason, holds):
    assert what(reason) == holds
    assert On(what, FAIL_SEQUENCE).holds(reason) == holds


@pytest.mark.parametrize("wrong", ["SIGSEGV", 0, 99, None])
def test_what_is_not_a_signal_is_refused(wrong):
    with pytest.raises(TypeError, match=f"^Killed is about signals such as signal.SIGSEGV, not {wrong!r}$"):
        Killed(wrong)


def test_a_timeout_is_both_a_node_timeout_and_an_interruption():
    reason = TimedOut(7, 0.5, stopped=False, cause=Death(7, why=TIMEOUT, node="n", detail="longer than its 1 s"))
    assert isinstance(reason, NodeTimeout)
    assert isinstance(reason, Interrupted)
    assert str(reason) == "process 7 died in it, at least 0.5 s ago: it took too long in n: longer than its 1 s"


def test_policies_do_not_load_the_service():
    done = run_python("import hafta.policies, sys; print([n for n in sys.modules if 'service' in n or n == 'signal'])")
    assert done.stdout == "[]\n"
