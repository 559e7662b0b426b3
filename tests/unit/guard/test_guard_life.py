"""A guard in its own process: what it tells its overlord, what it does with signals, and how it ends."""

import os
import signal
import socket
import subprocess
import time

import pytest
from guard_support import PYTHON, Guarded
from processes import PATIENCE, Child, below, fill, is_alive, wait_until

from hafta import exits
from hafta.guard.program import NAME
from hafta.service.holdoff import Holdoff, Row

FAST = ("--interval", "0.05", "--timeout", "0.5")
SLEEP = ("--", "sleep", "100")


def script(text):
    return ("--", "sh", "-c", text)


def python(text):
    return ("--", PYTHON, "-Sc", text)


def test_ps_shows_what_it_is():
    with Guarded(*SLEEP) as guard:
        guard.wait_told("READY=1")
        with open(f"/proc/{guard.process.pid}/comm") as file:
            assert file.read() == "hafta-guard\n"


def test_ready_comes_after_the_first_pass_and_a_ping_after_each(tmp_path):
    beat = tmp_path / "beat"
    with Guarded(*FAST, f"--probe=file:{beat}:100", *SLEEP, WATCHDOG_USEC="2000000") as guard:
        guard.wait_told("STATUS=starting, process")
        assert guard.wait_told("EXTEND_TIMEOUT_USEC=") == "EXTEND_TIMEOUT_USEC=30500000"
        assert not {"READY=1", "WATCHDOG=1"} & set(guard.told)
        beat.touch()
        guard.wait_told("READY=1")
        guard.wait_told("WATCHDOG=1", 3)
        assert f"STATUS=process {guard.pid()} passes" in guard.told


def test_the_status_says_why_not():
    with Guarded(*FAST, "--probe=command:sh -c 'exit 4'", *SLEEP) as guard:
        said = guard.wait_told("exit 4")
        assert said == f"STATUS=starting, process {guard.pid()}: command:sh -c 'exit 4': ended with status 4"


def test_a_program_that_is_stopped_triggers_the_watchdog_once_and_passes_again():
    with Guarded(*FAST, *SLEEP, WATCHDOG_USEC="2000000") as guard:
        guard.wait_told("READY=1")
        os.kill(guard.pid(), signal.SIGSTOP)
        guard.wait_told("WATCHDOG=trigger")
        assert is_alive(guard.pid()), "to end it is the overlord's"
        why = f"STATUS=process {guard.pid()} fails (3 of 3): process: process {guard.pid()} is stopped"
        assert why in guard.told, "with the trigger, although a STATUS was sent less than a second ago"
        guard.drain()
        guard.told.clear()
        time.sleep(0.3)  # several rounds, in which nothing may ping
        assert not any("WATCHDOG" in line for line in guard.drain())
        os.kill(guard.pid(), signal.SIGCONT)
        guard.wait_told("WATCHDOG=1")


def test_the_watchdogs_sigabrt_reaches_the_program_and_then_the_guard():
    with Guarded(*FAST, *SLEEP, WATCHDOG_USEC="2000000") as guard:
        guard.wait_told("READY=1")
        pid = guard.pid()
        os.kill(pid, signal.SIGSTOP)
        assert guard.stop(signal.SIGABRT)[0] == -signal.SIGABRT
        assert not is_alive(pid)
        assert f"process {pid} was killed by SIGABRT" in guard.finish()[2]


def test_a_program_that_ignores_sigabrt_is_gone_within_the_time_that_an_overlord_leaves():
    text = "import signal, time; signal.signal(6, signal.SIG_IGN); print('up', flush=True); time.sleep(100)"
    with Guarded(*FAST, *python(text), WATCHDOG_USEC="2000000") as guard:
        guard.wait_line("up")
        status, seconds = guard.stop(signal.SIGABRT)
        assert status == -signal.SIGABRT
        assert seconds < 10
        assert "was killed by SIGKILL" in guard.finish()[2]


#: Who started it: without an overlord; with one that sets no watchdog.
UNWATCHED = {"by hand": {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "2000000"}, "without a watchdog": {}}


@pytest.mark.parametrize("environ", UNWATCHED.values(), ids=UNWATCHED)
def test_without_a_watchdog_the_guard_ends_the_program_itself(environ):
    with Guarded(*FAST, *SLEEP, **environ) as guard:
        guard.wait_line("passes its probes", guard.process.stderr)
        pid = guard.pid()
        os.kill(pid, signal.SIGSTOP)
        status, _, told = guard.finish()
    assert status == exits.UNHEALTHY
    assert f"failed its probes 3 times in a row: process: process {pid} is stopped; ending it" in told
    assert not is_alive(pid)


def test_a_program_that_never_passes_is_ended_after_its_grace():
    with Guarded(*FAST, "--start-grace=0.3", "--probe=tcp:127.0.0.1:1", *SLEEP) as guard:
        status, _, told = guard.finish()
        assert status == exits.TIMED_OUT
        assert "READY=1" not in guard.drain()
    assert "has not passed its probes within 300 ms: tcp:127.0.0.1:1: connection refused; ending it" in told


#: What a program does, and how the guard ends: as it does.
ENDS = {
    "exit 0": 0,
    "exit 7": 7,
    "exit 255": 255,
    "kill -KILL $$": -signal.SIGKILL,
    "kill -SEGV $$": -signal.SIGSEGV,
    "kill -TERM $$": -signal.SIGTERM,
    "kill -PIPE $$": -signal.SIGPIPE,
    "kill -RTMIN $$": -signal.SIGRTMIN,
}


@pytest.mark.parametrize("text", ENDS)
def test_a_guard_ends_as_its_program_does(text):
    with Guarded(*script(text)) as guard:
        assert guard.finish()[0] == ENDS[text]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_goes_to_the_whole_group_and_the_exit_status_is_passed_on(signum, tmp_path):
    text = f"trap 'exit 5' TERM INT; sleep 100 & echo $! > {tmp_path}/pid; echo up; wait"
    with Guarded(*script(text)) as guard:
        guard.wait_line("up")
        assert guard.stop(signum)[0] == 5
        wait_until(lambda: not is_alive(int((tmp_path / "pid").read_text())))
        assert f"STATUS=stopping sh: {signum.name}" in guard.drain()
        assert "STOPPING=1" in guard.told


def test_a_stopped_program_can_be_stopped_for_good():
    with Guarded(*script("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done")) as guard:
        guard.wait_line("up")
        os.kill(guard.pid(), signal.SIGSTOP)
        assert guard.stop()[0] == 3


def test_what_ignores_the_stop_is_killed_after_the_grace_and_the_status_says_so(tmp_path):
    text = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.01; done' & wait"
    with Guarded("--stop-grace=0.3", *script(text)) as guard:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        assert guard.stop()[0] == exits.TIMED_OUT
        assert not is_alive(int((tmp_path / "pid").read_text()))


def test_ctrl_c_once_more_kills_at_once():
    with Guarded("--stop-grace=100", *script("trap '' TERM INT; echo up; while :; do sleep 0.01; done")) as guard:
        guard.wait_line("up")
        guard.process.send_signal(signal.SIGINT)
        guard.wait_told("STOPPING=1")
        assert guard.stop(signal.SIGINT)[0] == exits.TIMED_OUT


def test_as_process_1_which_no_signal_can_kill_the_status_says_the_signal():
    command = ["unshare", "--user", "--map-root-user", "--fork", "--pid", PYTHON, "-m", "hafta.guard"]
    done = subprocess.run([*command, *script("kill -SEGV $$")], check=False, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 128 + signal.SIGSEGV, done.stderr


@pytest.mark.parametrize("name", ["HUP", "USR1", "USR2", "QUIT", "WINCH"])
def test_other_signals_are_the_programs(name):
    with Guarded(*script(f"trap 'echo got; exit 4' {name}; echo up; while :; do sleep 0.01; done")) as guard:
        guard.wait_line("up")
        assert guard.stop(signal.Signals[f"SIG{name}"])[0] == 4


#: What a parent does before it becomes a guard.
DEAF = "import os, signal, sys; signal.signal(1, signal.SIG_IGN); os.execv(sys.executable, sys.argv)"
LISTENER = "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.executable, sys.argv)"


def guarded_by(parent, *words, **environ):
    return Child(
        ["-c", parent.replace("sys.argv", "['python', *sys.argv[1:]]"), "-m", "hafta.guard", *words], **environ
    )


def test_nohup_holds_for_both():
    text = script("kill -HUP $$; echo still; while :; do sleep 0.01; done")
    with Guarded(*text) as guard:
        assert guard.finish()[0] == -signal.SIGHUP
    with guarded_by(DEAF, *text) as guard:
        guard.wait_line("still")
        guard.process.send_signal(signal.SIGHUP)
        assert guard.stop()[0] == -signal.SIGTERM


def test_a_program_starts_with_default_signals_and_nothing_blocked():
    with Guarded("--", "cat", "/proc/self/status") as guard:
        lines = dict(line.split(":\t", 1) for line in guard.finish()[1].splitlines())
    # 32 and 33 are the C library's own: who starts the tests may ignore them, and no program can change that.
    own = sum(1 << number - 1 for number in signal.valid_signals())
    assert {name: int(lines[name], 16) & own for name in ("SigBlk", "SigIgn")} == {"SigBlk": 0, "SigIgn": 0}


def test_a_program_does_not_see_what_the_overlord_tells_the_guard_and_gets_its_sockets():
    seen = "import os; print(os.environ['LISTEN_PID'] == str(os.getpid()), *sorted(os.environ))"
    with guarded_by(LISTENER, "--", PYTHON, "-c", seen, WATCHDOG_USEC="9000000", OTHER="kept") as guard:
        is_own, *names = guard.finish()[1].split()
    assert is_own == "True"
    assert "OTHER" in names
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(names)


def test_orphans_are_reaped_while_the_program_runs_and_ended_when_it_has_ended(tmp_path):
    orphan = f"(setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 100' &)"
    text = f"(true &); (true &); {orphan}; while ! test -s {tmp_path}/pid; do sleep 0.01; done; echo up; read x; exit 6"
    with Guarded(*script(text)) as guard:
        status, out, _ = guard.finish()
        assert (status, out) == (6, "up\n")
        assert not is_alive(int((tmp_path / "pid").read_text()))


def test_no_zombie_is_left_while_the_program_runs():
    with Guarded(*script("i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done; echo up; exec sleep 100")) as guard:
        guard.wait_line("up")
        wait_until(lambda: len(below(guard.process.pid)) == 1)


def test_a_program_that_has_ended_does_not_wait_long_for_what_it_left(tmp_path):
    with Guarded(*script("(trap '' TERM; sleep 100) & exit 3")) as guard:
        begun = time.monotonic()
        assert guard.finish()[0] == 3
        assert time.monotonic() - begun < 8


def test_a_killed_guard_takes_its_program_along():
    with Guarded(*SLEEP) as guard:
        pid = guard.pid()
        guard.wait_told("READY=1")
        guard.process.kill()
        guard.process.wait(PATIENCE)
        wait_until(lambda: not is_alive(pid))


def test_children_that_the_guard_had_before_are_left_alone(tmp_path):
    text = f"sleep 100 & echo $! > {tmp_path}/pid; exec {PYTHON} -m hafta.guard -- true"
    with subprocess.Popen(["sh", "-c", text], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as guard:
        assert guard.wait(PATIENCE) == 0
        stranger = int((tmp_path / "pid").read_text())
        assert is_alive(stranger)
        os.kill(stranger, signal.SIGKILL)


#: What cannot be run, and the status.
WRONG = {
    ("--", "/nowhere/at-all"): (exits.NOT_FOUND, "cannot run /nowhere/at-all: No such file or directory"),
    ("--", "no-such-program"): (exits.NOT_FOUND, "cannot run no-such-program: No such file or directory"),
    ("--", "/etc/passwd"): (exits.PERMISSION, "cannot run /etc/passwd: Permission denied"),
    (): (exits.USAGE, "there is no program to run"),
    ("--probe=tcp:x", "--", "true"): (exits.USAGE, "--probe: 'tcp:x' is not tcp:ADDRESS:PORT"),
    ("--no-such", "--", "true"): (exits.USAGE, "unknown option --no-such"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_cannot_be_run_is_two_lines_and_a_status(words):
    with Guarded(*words) as guard:
        status, out, err = guard.finish()
    assert (status, out) == (WRONG[words][0], "")
    first, hint = err.splitlines()
    assert first.startswith(f"hafta-guard: error: {WRONG[words][1]}")
    assert hint.startswith("hafta-guard: ")


def test_a_watchdog_that_would_kill_a_program_that_works_is_refused():
    with Guarded(*SLEEP, WATCHDOG_USEC="2000000") as guard:
        status, _, err = guard.finish()
    assert status == exits.USAGE
    assert "the watchdog's 2 s are too short for a pass every 2 s" in err
    assert "WatchdogSec=8" in err


def test_crashes_in_a_row_are_counted_and_held_back(tmp_path):
    place = {"RUNTIME_DIRECTORY": str(tmp_path)}
    Holdoff(NAME, place)._save(Row(4, time.monotonic()))
    for held in (False, True):
        with Guarded(*script("exit 1"), **place) as guard:
            status, _, told = guard.finish()
            assert (status, "crashed 6 times in a row and waits 100 ms" in told) == (1, held)
            assert ("STATUS=held back 0.1 s: 6 crashes in a row" in guard.drain()) == held


def test_a_stop_while_it_is_held_back_is_a_stop_and_ends_the_row(tmp_path):
    place = {"RUNTIME_DIRECTORY": str(tmp_path)}
    Holdoff(NAME, place)._save(Row(20, time.monotonic()))
    with Guarded(*script("echo started"), **place) as guard:
        guard.wait_told("STATUS=held back 5 s")
        status, _ = guard.stop()
        assert (status, guard.finish()[1]) == (0, "")
    with Guarded(*script("echo started"), **place) as guard:
        assert guard.finish()[1] == "started\n"
        assert not any("held back" in line for line in guard.drain())


def test_closed_standard_descriptors_change_nothing():
    with Guarded("--interval=0.05", *script("exit 3"), redirect="<&- >&- 2>&-") as guard:
        assert guard.process.wait(PATIENCE) == 3


def test_an_overlord_that_takes_no_notification_delays_nothing():
    with Guarded("--interval=0.05", *script("read x <&0; sleep 0.3; exit 3")) as guard:
        fill(f"{guard.folder.name}/notify")
        assert guard.process.wait(PATIENCE) == 3


def test_a_probed_port_that_never_answers_delays_neither_the_end_nor_a_signal():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        probe = f"--probe=http://127.0.0.1:{deaf.getsockname()[1]}/"
        with Guarded(probe, "--timeout=60", *SLEEP) as guard:
            guard.pid()
            guard.wait_told("STATUS=starting")
            status, seconds = guard.stop()
            assert status == -signal.SIGTERM
            assert seconds < 5
