"""The overlord as its user meets it: real processes, real signals, a real notify socket."""

import os
import signal
import socket
import stat

import pytest
from overlord_harness import NOTIFY, PYTHON, ROOT, is_alive, wait_until

SLEEPER = "/bin/sleep 1000"


def assert_clean(place):
    """Nothing is left: no process, no file."""
    assert place.left_over() == []
    assert not os.path.exists(place.runtime), os.listdir(place.runtime)


def test_what_a_service_writes_is_shown_with_its_name(place):
    place.service("a", "/bin/sh -c 'echo out; echo err >&2; echo \"<3>bad\"; printf tail'")
    overlord = place.start("a.service")
    assert overlord.wait() == 0
    shown = [line for line in overlord.lines if line.startswith("a ")]
    assert shown == ["a        | out", "a        | err", "a        | error: bad", "a        | tail"]
    assert_clean(place)


def test_the_run_ends_with_0_when_all_units_have_ended_well_and_with_1_when_one_failed(place):
    place.service("good", "/bin/true")
    place.service("bad", "/bin/false")
    assert place.start("good").wait() == 0
    overlord = place.start("good", "bad")
    assert overlord.wait() == 1
    assert "Unit bad.service failed: its main process failed" in overlord.text
    assert_clean(place)


def test_a_notify_service_is_ready_when_it_says_so_and_knows_what_systemd_would_tell_it(place):
    ready = place.script(
        "ready.py",
        f"""
        {NOTIFY}
        names = "NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID INVOCATION_ID RUNTIME_DIRECTORY STATE_DIRECTORY"
        for name in f"{{names}} JOURNAL_STREAM HAFTA_FOR ONE TWO".split():
            print(name, os.environ.get(name), flush=True)
        print("me", os.getpid(), oct(os.stat(os.environ["RUNTIME_DIRECTORY"].split(":")[0]).st_mode), flush=True)
        s.send(b"STATUS=warming up\\nREADY=1")
        import time
        time.sleep(1000)
        """,
    )
    place.service(
        "a",
        ready,
        *(
            "Type=notify",
            "WatchdogSec=90",
            "RuntimeDirectory=one two",
            "RuntimeDirectoryMode=0710",
            "StateDirectory=st",
        ),
        *("RestartSec=0", "Environment=ONE=%t/x TWO=unit"),
    )
    overlord = place.start("a", "--set", "a:TWO=set", environ={"HAFTA_FOR": ""})
    ((_, pid),) = overlord.wait_for(r"Unit a.service is ready after (.*), process (\d+)")
    overlord.wait_for(r"a +\| me ")
    told = dict(line.removeprefix("a        | ").split(" ", 1) for line in overlord.lines if line.startswith("a  "))
    assert told["NOTIFY_SOCKET"].startswith(f"{place.runtime}/hafta-overlord/")
    assert told["WATCHDOG_USEC"] == "90000000"
    assert told["WATCHDOG_PID"] == pid == str(overlord.pids("a.service")[0])
    assert len(told["INVOCATION_ID"]) == 32
    assert told["RUNTIME_DIRECTORY"] == f"{place.runtime}/one:{place.runtime}/two"
    assert told["STATE_DIRECTORY"] == f"{place.state}/st"
    assert told["me"] == f"{pid} 0o40710"
    assert told["JOURNAL_STREAM"] == told["HAFTA_FOR"] == "None"
    assert (told["ONE"], told["TWO"]) == (f"{place.runtime}/x", "set")
    assert stat.S_IMODE(os.stat(place.runtime).st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
    overlord.send(signal.SIGUSR1)
    overlord.wait_for(rf"a.service: active, process {pid}, warming up")
    assert overlord.stop() == 0
    assert_clean(place)
    assert not os.path.exists(place.state)


def test_a_killed_main_process_is_restarted_and_takes_its_children_with_it(place):
    place.service("a", "/bin/sh -c 'setsid sleep 1000 & echo child $$!; wait'", "Restart=always", "RestartSec=0")
    overlord = place.start("a")
    children = [int(pid) for pid in overlord.wait_for(r"a +\| child (\d+)")]
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for(r"a +\| child (\d+)", 2)
    assert not is_alive(children[0])
    assert "killed by signal 9 (SIGKILL)" in overlord.text
    assert "restart 1" in overlord.text
    assert overlord.stop() == 0
    assert_clean(place)


def test_a_service_that_stops_feeding_its_watchdog_is_aborted_then_killed_and_started_again(place):
    hang = place.script(
        "hang.py",
        f"""
        {NOTIFY}
        import signal, time
        signal.signal(signal.SIGABRT, lambda *_: print("abort", flush=True))
        s.send(b"READY=1")
        s.send(b"WATCHDOG=1")
        while True:
            time.sleep(1000)
        """,
    )
    place.service(
        "a", hang, "Type=notify", "Restart=on-watchdog", "RestartSec=0", "WatchdogSec=200ms", "TimeoutAbortSec=2"
    )
    overlord = place.start("a")
    overlord.wait_for(r"Unit a.service is ready", 2)
    assert "gave no sign of progress for 200 ms" in overlord.text
    assert "a        | abort" in overlord.text
    assert "killed by signal 9 (SIGKILL): the watchdog ran out" in overlord.text
    assert overlord.stop() == 0
    assert_clean(place)


def test_units_start_in_order_and_stop_in_reverse_order(place):
    for name, after in (("one", ""), ("two", "one.service"), ("three", "two.service")):
        place.service(name, SLEEPER, unit=(f"After={after}",))
    place.unit("all.target", "[Unit]\nWants=three.service two.service one.service\n")
    overlord = place.start("all.target")
    overlord.wait_for(r"Unit (\w+).service is ready", 3)
    assert overlord.find(r"Unit (\w+).service is starting") == ["one", "two", "three"]
    assert overlord.stop(signal.SIGINT) == 0
    assert overlord.find(r"Unit (\w+).service is stopped") == ["three", "two", "one"]
    assert overlord.lines[-1].endswith("Overlord stopped: SIGINT")
    assert_clean(place)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGRTMIN + 3])
def test_each_stopping_signal_ends_it_cleanly(place, signum):
    place.service("a", SLEEPER)
    overlord = place.start("a")
    overlord.wait_for("is ready")
    assert overlord.stop(signum) == 0
    assert_clean(place)


FORKED = """
import os, signal
fork = os.fork

def forked():
    os.fork = fork
    child = fork()
    if child:
        os.kill(os.getpid(), signal.{name})
    return child

os.fork = forked
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_comes_before_the_overlord_can_take_it_stops_it_in_order(place, name):
    """It comes as soon as there is a keeper."""
    os.mkdir(place.file("early"))
    with open(place.file("early/sitecustomize.py"), "w") as file:
        file.write(FORKED.format(name=name))
    place.service("a", "/bin/sleep 1000")
    overlord = place.start("a", environ={"PYTHONPATH": f"{place.file('early')}:{ROOT}"})
    assert overlord.wait() == 0
    assert f"Overlord stopped: {name}" in overlord.text
    assert not os.path.exists(place.runtime)


def test_under_nohup_a_closed_terminal_does_not_matter(place):
    place.service("a", SLEEPER)
    overlord = place.start("a", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    overlord.wait_for("is ready")
    overlord.send(signal.SIGHUP)
    assert overlord.stop(signal.SIGTERM) == 0
    assert overlord.lines[-1].endswith("Overlord stopped: SIGTERM")


def test_a_second_ctrl_c_kills_at_once(place):
    place.service("a", "/bin/sh -c 'trap : TERM; echo deaf; while :; do sleep 0.01; done'", "TimeoutStopSec=1000")
    overlord = place.start("a")
    overlord.wait_for(r"a +\| deaf")
    overlord.send(signal.SIGINT)
    overlord.wait_for("is stopping")
    assert overlord.stop(signal.SIGINT) == 0
    assert "ending at once" in overlord.text
    assert_clean(place)


def test_a_service_that_ignores_the_stop_is_killed_after_timeoutstopsec(place):
    place.service("a", "/bin/sh -c 'trap : TERM; echo deaf; while :; do sleep 0.01; done'", "TimeoutStopSec=100ms")
    overlord = place.start("a")
    overlord.wait_for(r"a +\| deaf")
    assert overlord.stop() == 0
    assert "killed by signal 9 (SIGKILL): it did not end within 100 ms (TimeoutStopSec=)" in overlord.text
    assert_clean(place)


def test_the_start_limit_makes_a_crash_loop_end_as_failed(place):
    place.service("a", "/bin/false", "Restart=always", "RestartSec=0", unit=("StartLimitBurst=3",))
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert len(overlord.pids("a.service")) == 3
    assert "Unit a.service failed: started more than 3 times in 10 s (StartLimitBurst=)" in overlord.text


def test_restartpreventexitstatus_ends_the_restarts(place):
    place.service("a", "/bin/sh -c 'exit 2'", "Restart=always", "RestartPreventExitStatus=2")
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert len(overlord.pids("a.service")) == 1


def test_a_start_that_takes_too_long_is_ended(place):
    place.service("a", SLEEPER, "Type=notify", "TimeoutStartSec=100ms")
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert "Unit a.service failed: no READY=1 within 100 ms (TimeoutStartSec=)" in overlord.text


def test_extend_timeout_usec_gives_a_slow_start_its_time(place):
    slow = place.script(
        "slow.py",
        f"""
        {NOTIFY}
        import time
        s.send(b"EXTEND_TIMEOUT_USEC=60000000")
        time.sleep(2.5)
        s.send(b"READY=1\\nSTOPPING=1")
        """,
    )
    place.service("a", slow, "Type=notify", "TimeoutStartSec=2")
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "Unit a.service is ready" in overlord.text


def test_a_program_that_cannot_be_executed_fails_with_the_reason(place):
    path = place.file("broken")
    with open(path, "w") as file:
        file.write(f"#!{place.file('missing')}\n")
    os.chmod(path, 0o755)
    place.service("a", path, "Type=exec")
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert f"exited with status 203: cannot run {path}: No such file or directory" in overlord.text
    assert "is ready" not in overlord.text


def test_a_working_directory_that_is_missing_fails_with_the_reason(place):
    missing = place.file("missing")
    place.service("a", "/bin/true", f"WorkingDirectory={missing}")
    place.service("b", "/bin/pwd", f"WorkingDirectory=-{missing}")
    overlord = place.start("a", "b")
    assert overlord.wait() == 1
    assert f"exited with status 200: cannot enter {missing}: No such file or directory" in overlord.text
    assert "b        | /" in overlord.text


def test_an_environment_file_that_vanished_fails_the_start_with_the_reason(place):
    missing = place.file("missing")
    place.service("a", "/bin/true", f"EnvironmentFile={missing}")
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert f"it could not be started: a.service: EnvironmentFile={missing}: No such file" in overlord.text
    assert f"; make it, or write EnvironmentFile=-{missing} if it may be missing" in overlord.text


def test_an_error_in_a_unit_is_one_line_with_a_hint_and_nothing_is_started(place):
    place.service("good", f"/bin/touch {place.file('started')}")
    path = place.service("bad", "/bin/true", "RestartSec=soon")
    overlord = place.start("good", "bad")
    assert overlord.wait() == 2
    assert overlord.lines == [
        f"hafta: error: {path}:4: RestartSec=soon: expected a time span such as 5, 500ms, 1min 30s or infinity",
        f"hafta: mend RestartSec= in {path}",
    ]
    assert not os.path.exists(place.file("started"))
    assert_clean(place)


def test_bytes_that_are_no_text_are_shown_as_bytes(place):
    path = place.service("bad", "/bin/true")
    with open(path, "ab") as file:
        file.write(b"RestartSec=\xe9\n")
    overlord = place.start("bad")
    assert overlord.wait() == 2
    assert r"RestartSec=\xe9: expected" in overlord.lines[0]


def test_debug_shows_where_an_error_came_from(place):
    overlord = place.start("nosuch", "--debug")
    assert overlord.wait() == 4
    assert "Traceback" in overlord.text
    assert "hafta: error: there is no unit nosuch.service" in overlord.text


def test_directives_that_are_not_honoured_are_named_once_and_the_sandboxes_of_all_units_in_one_line(place):
    place.service("a", "/bin/true", "Nice=5", "PrivateTmp=yes", "ProtectHome=yes", "Nice=6", "X-Mine=1")
    place.service("b", "/bin/true", "PrivateTmp=no", "NoNewPrivileges=yes")
    place.service("c", "/bin/true")
    overlord = place.start("a", "b", "c")
    assert overlord.wait() == 0
    assert overlord.find(r"warning: Unit a.service: (.*)") == [
        "Nice= is not honoured by the embedded overlord, line 4",
    ]
    assert overlord.find(r"warning: No sandbox for (.*)") == [
        "a.service, b.service: the embedded overlord does not honour NoNewPrivileges= PrivateTmp= ProtectHome=",
    ]


def test_notifications_from_others_than_the_main_process_need_notifyaccess_all(place):
    speak = place.script("speak.py", f"{NOTIFY}\nimport time\ns.send(b'READY=1\\nSTATUS=child')\ntime.sleep(1000)\n")
    place.service("main", f"/bin/sh -c '{speak} & wait'", "Type=notify")
    place.service("all", f"/bin/sh -c '{speak} & wait'", "Type=notify", "NotifyAccess=all")
    overlord = place.start("main", "all")
    overlord.wait_for("Unit all.service is ready")
    overlord.wait_for(r"main.service: the overlord takes no notification from process \d+ \(NotifyAccess=\)")
    assert "Unit main.service is ready" not in overlord.text
    assert overlord.stop() == 0


def test_barrier_closes_the_descriptor_and_fdstore_is_said_to_be_ignored(place):
    barrier = place.script(
        "barrier.py",
        f"""
        {NOTIFY}
        reader, writer = os.pipe()
        socket.send_fds(s, [b"READY=1\\nFDSTORE=1"], [0, 1])
        socket.send_fds(s, [b"BARRIER=1"], [writer])
        os.close(writer)
        print("passed", os.read(reader, 1), flush=True)
        """,
    )
    place.service("a", barrier, "Type=notify")
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "a        | passed b''" in overlord.text
    assert "a.service: the overlord keeps no file descriptors (FDSTORE=1)" in overlord.text


def test_mainpid_moves_the_main_process_to_another_of_the_unit(place):
    move = place.script(
        "move.py",
        f"""
        {NOTIFY}
        import time
        if pid := os.fork():
            s.send(b"MAINPID=%d\\nREADY=1" % pid)
            print("child", pid, flush=True)
            time.sleep(0.05)
        else:
            time.sleep(1000)
        """,
    )
    place.service("a", move, "Type=notify", "Restart=no")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"a +\| child (\d+)")
    overlord.wait_for(rf"is ready after .*, process {child}")
    first = overlord.pids("a.service")[0]
    wait_until(lambda: not is_alive(first))
    os.kill(int(child), signal.SIGKILL)
    assert overlord.wait() == 1
    assert f"process {child} was killed by signal 9 (SIGKILL)" in overlord.text


def test_mainpid_may_be_moved_as_often_as_a_service_likes(place):
    """What watches for the end of one that is not the main process any more would pile up."""
    move = place.script(
        "move.py",
        f"""
        {NOTIFY}
        import time
        if pid := os.fork():
            for turn in range(200):
                s.send(b"MAINPID=%d\\nMAINPID=%d" % (pid, os.getpid()))
            s.send(b"MAINPID=%d\\nREADY=1" % pid)
        time.sleep(1000)
        """,
    )
    place.service("a", move, "Type=notify", "NotifyAccess=all", "Restart=no")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"is ready after .*, process (\d+)")
    descriptors = os.listdir(f"/proc/{overlord.process.pid}/fd")
    assert len(descriptors) < 50
    os.kill(int(child), signal.SIGKILL)
    assert overlord.wait() == 0, "the end of the main process is seen, though it is another one's child"


def test_mainpid_of_a_foreign_process_is_refused(place):
    move = place.script("move.py", f"{NOTIFY}\ns.send(b'MAINPID=1\\nMAINPID=999999999\\nMAINPID=x\\nREADY=1')\n")
    place.service("a", move, "Type=notify")
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "a.service: MAINPID=1 is none of its processes" in overlord.text


def test_errno_is_shown_with_the_failure(place):
    fail = place.script("fail.py", f"{NOTIFY}\ns.send(b'READY=1\\nERRNO=28')\nraise SystemExit(7)\n")
    place.service("a", fail, "Type=notify")
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert "exited with status 7: No space left on device" in overlord.text


def test_watchdog_trigger_and_watchdog_usec_are_obeyed(place):
    trigger = place.script(
        "trigger.py", f"{NOTIFY}\nimport time\ns.send(b'READY=1')\ns.send(b'WATCHDOG=trigger')\ntime.sleep(1000)\n"
    )
    change = place.script(
        "change.py", f"{NOTIFY}\nimport time\ns.send(b'READY=1\\nWATCHDOG_USEC=50000')\ntime.sleep(1000)\n"
    )
    place.service("trigger", trigger, "Type=notify", "WatchdogSec=1000")
    place.service("change", change, "Type=notify", "WatchdogSec=1000")
    overlord = place.start("trigger", "change")
    assert overlord.wait() == 1
    assert overlord.find(r"(\w+).service: process \d+ was killed by signal 6 \(SIGABRT\): the watchdog ran out") != []
    assert "gave no sign of progress for 50 ms" in overlord.text
    assert len(overlord.find("failed: the watchdog ran out")) == 2


def test_a_stopped_overlord_does_not_take_its_own_absence_for_a_hang(place):
    feeder = place.script(
        "feeder.py",
        f"""
        {NOTIFY}
        s.setblocking(False)
        import time
        s.send(b"READY=1")
        while True:
            try:
                s.send(b"WATCHDOG=1")
            except BlockingIOError:
                open("{place.file("full")}", "a").write("x")
            time.sleep(0.1)
        """,
    )
    place.service("a", feeder, "Type=notify", "WatchdogSec=700ms")
    overlord = place.start("a")
    overlord.wait_for("is ready")
    overlord.send(signal.SIGSTOP)
    wait_until(lambda: state_of(overlord.pid) == "T")
    # The queue is full, and after 20 pings of 0.1 s that nobody took the watchdog would have run out twice.
    wait_until(lambda: len(place.read("full")) > 20)
    overlord.send(signal.SIGCONT)
    overlord.wait_for(r"did not run for \d")
    assert "no sign of progress" not in overlord.text
    assert overlord.stop() == 0
    assert len(overlord.pids("a.service")) == 1


def state_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_for_stops_by_itself_and_kill_kills_about_every_so_often(place):
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0", unit=("StartLimitBurst=0",))
    overlord = place.start("a", "--for", "1.5", "--kill", "a=0.2", "--set", "X=1")
    assert overlord.wait() == 0
    assert 1 < len(overlord.pids("a.service")) < 20
    assert "kills a.service, process" in overlord.text
    assert "Overlord stopped: it has run for 1.5 s (--for)" in overlord.text
    assert_clean(place)


def test_a_required_unit_that_fails_keeps_its_dependent_down(place):
    place.service("needed", "/bin/false", "Type=oneshot")
    place.service("b", SLEEPER, unit=("Requires=needed.service", "After=needed.service"))
    overlord = place.start("b")
    assert overlord.wait() == 1
    assert "Unit b.service failed: it requires needed.service, which is not up" in overlord.text
    assert overlord.pids("b.service") == []


def test_a_oneshot_that_succeeded_lets_its_dependents_start(place):
    place.service("once", "/bin/echo once", "Type=oneshot")
    place.service("kept", "/bin/true", "Type=oneshot", "RemainAfterExit=yes")
    place.service("b", "/bin/echo then", unit=("Requires=once.service kept.service", "After=once.service kept.service"))
    overlord = place.start("b")
    overlord.wait_for("Unit b.service is stopped")
    assert overlord.find(r"(?m)\| (once|then)$") == ["once", "then"]
    assert overlord.process.poll() is None, "a unit that remains keeps the overlord"
    assert overlord.stop() == 0


def test_a_restart_takes_along_what_requires_the_unit_and_leaves_what_only_wants_it(place):
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0")
    place.service("bound", SLEEPER, unit=("BindsTo=a.service", "After=a.service"))
    place.service("wanting", SLEEPER, unit=("Wants=a.service", "After=a.service"))
    overlord = place.start("bound", "wanting")
    overlord.wait_for("is ready", 3)
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit bound.service is ready", 2)
    assert len(overlord.pids("a.service")) == 2
    assert len(overlord.pids("wanting.service")) == 1
    assert overlord.stop() == 0


def test_what_is_taken_along_takes_along_its_own_and_they_stop_in_reverse_order(place):
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0.5")
    place.service("b", SLEEPER, unit=("Requires=a.service", "After=a.service"))
    slow = "/bin/sh -c 'trap \"sleep 0.2; exit 0\" TERM; echo up; while :; do sleep 0.01; done'"
    place.service("c", slow, unit=("Requires=b.service", "After=b.service"))
    overlord = place.start("c")
    overlord.wait_for(r"c +\| up")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit c.service is ready", 2)
    assert overlord.find(r"Unit (\w)\.service is (?:stopping|stopped)") == ["c", "c", "b", "b"]
    assert overlord.find(r"Unit (\w)\.service is ready") == ["a", "b", "c", "a", "b", "c"]
    assert overlord.stop() == 0


def test_a_restart_comes_after_what_the_unit_requires_is_up_again(place):
    place.service("a", SLEEPER, "Restart=always", "RestartSec=1")
    place.service("b", SLEEPER, "Restart=always", "RestartSec=0.3", unit=("Requires=a.service", "After=a.service"))
    overlord = place.start("b")
    overlord.wait_for("is ready", 2)
    os.kill(overlord.pids("b.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit b.service restarts")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit b.service is ready", 2)
    assert overlord.find(r"Unit (\w)\.service is ready") == ["a", "b", "a", "b"]
    assert overlord.stop() == 0


def test_a_restart_starts_what_the_unit_requires_and_fails_without_it(place):
    mark = place.file("broken")
    program = f"{NOTIFY}; os.path.exists('{mark}') and os._exit(1); s.send(b'READY=1'); import time; time.sleep(1000)"
    place.service("a", place.script("a.py", program), "Type=notify")
    place.service("b", SLEEPER, "Restart=always", unit=("Requires=a.service", "After=a.service"))
    overlord = place.start("b")
    overlord.wait_for("is ready", 2)
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit a.service failed")
    os.kill(overlord.pids("b.service")[0], signal.SIGKILL)
    overlord.wait_for("is ready", 4)
    assert overlord.find(r"Unit (\w)\.service is ready") == ["a", "b", "a", "b"]
    open(mark, "w").close()
    os.kill(overlord.pids("a.service")[1], signal.SIGKILL)
    overlord.wait_for("Unit a.service failed", 2)
    os.kill(overlord.pids("b.service")[1], signal.SIGKILL)
    assert overlord.wait() == 1
    assert "Unit b.service failed: it requires a.service, which is not up" in overlord.text


def test_a_start_waits_until_what_comes_after_the_unit_has_stopped(place):
    slow = "/bin/sh -c 'trap \"sleep 0.3; exit 0\" TERM; echo up; while :; do sleep 0.01; done'"
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0")
    place.service("b", slow, unit=("Requires=a.service", "After=a.service"))
    overlord = place.start("b")
    overlord.wait_for(r"b +\| up")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for(r"b +\| up", 2)
    assert overlord.find(r"Unit (a.service is starting|b.service is stopped)") == [
        *("a.service is starting", "b.service is stopped", "a.service is starting"),
    ]
    assert overlord.stop() == 0


def test_a_unit_that_has_begun_to_end_is_not_brought_back_by_a_restart(place):
    leave = "/bin/sh -c '(trap : TERM; echo deaf; while :; do sleep 0.01; done) & sleep 0.3; exit 1'"
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0")
    place.service("b", leave, "TimeoutStopSec=1", unit=("Requires=a.service", "After=a.service"))
    overlord = place.start("b")
    overlord.wait_for(r"b.service: process \d+ exited with status 1")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit a.service is ready", 2)
    overlord.wait_for("Unit b.service failed")
    assert overlord.stop() == 0
    assert len(overlord.pids("b.service")) == 1


def test_who_is_stopped_for_two_reasons_gets_one_signal(place):
    count = place.script(
        "count.py",
        """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: print("told", flush=True))
        print("up", flush=True)
        while True:
            time.sleep(1000)
        """,
    )
    place.service("a", SLEEPER)
    place.service("b", count, "TimeoutStopSec=1", unit=("BindsTo=a.service",))
    overlord = place.start("b")
    overlord.wait_for(r"b +\| up")
    overlord.wait_for("is ready", 2)
    assert overlord.stop() == 0
    assert len(overlord.find(r"b +\| told")) == 1


def test_what_goes_with_a_bound_unit_stops_before_it(place):
    place.service("a", SLEEPER)
    place.service("b", SLEEPER, unit=("BindsTo=a.service", "After=a.service"))
    place.service("c", SLEEPER, unit=("Requires=b.service", "After=b.service"))
    overlord = place.start("c")
    overlord.wait_for("is ready", 3)
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    assert overlord.wait() == 1
    assert overlord.find(r"Unit (\w)\.service is (?:stopping|stopped)") == ["c", "c", "b", "b"]


def test_a_unit_that_is_bound_stops_with_the_one_that_it_is_bound_to(place):
    place.service("a", SLEEPER)
    place.service("bound", SLEEPER, unit=("BindsTo=a.service", "After=a.service"))
    overlord = place.start("bound")
    overlord.wait_for("is ready", 2)
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    assert overlord.wait() == 1
    assert "Unit bound.service is stopped" in overlord.text


def test_killmode_process_leaves_the_rest_until_the_overlord_ends(place):
    place.service("a", "/bin/sh -c 'setsid sleep 1000 & echo child $$!; wait'", "KillMode=process")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"a +\| child (\d+)")
    assert overlord.stop() == 0
    assert not is_alive(int(child))
    assert "1 process left behind by the units killed" in overlord.text
    assert_clean(place)


def test_killmode_mixed_kills_the_rest_at_once(place):
    deaf = "/bin/sh -c '(trap : TERM; echo up; while :; do sleep 0.01; done) & wait'"
    place.service("a", deaf, "KillMode=mixed", "TimeoutStopSec=1000")
    overlord = place.start("a")
    overlord.wait_for(r"a +\| up")
    assert overlord.stop() == 0
    assert_clean(place)


def test_who_is_forked_while_its_unit_is_told_to_end_is_told_too(place):
    forks = place.script(
        "forks.py",
        """
        import os
        for _ in range(20):
            if os.fork() == 0:
                if os.fork() == 0:
                    os.execv("/bin/sleep", ["sleep", "1000"])
                os._exit(0)
        os._exit(1)
        """,
    )
    place.service("a", forks, "Restart=always", "RestartSec=0", "TimeoutStopSec=45", unit=("StartLimitBurst=0",))
    overlord = place.start("a")
    overlord.wait_for("Unit a.service is starting", 6)
    assert overlord.stop() == 0


def test_who_forks_for_ever_and_ignores_sigterm_holds_nobody_up(place):
    """A relay of children, each of which forks the next one and ends: the overlord still sees that the time is up."""
    relay = place.script(
        "relay.py",
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.nice(19)
        end = time.monotonic() + 60
        print("up", flush=True)
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
        """,
    )
    place.service("a", relay, "TimeoutStopSec=1", "KillMode=control-group", "RemainAfterExit=yes")
    overlord = place.start("a")
    overlord.wait_for(r"a +\| up")
    assert overlord.stop() == 0
    assert_clean(place)


def test_a_daemon_that_hides_from_its_unit_ends_with_the_overlord(place):
    # A new session, two forks and an empty environment: nothing names its unit any more.
    hide = "/usr/bin/env -i /usr/bin/setsid /bin/sh -c 'sleep 1000 & echo hidden $$!'"
    place.service("a", f'/bin/sh -c "{hide}; sleep 1000"')
    overlord = place.start("a")
    (hidden,) = overlord.wait_for(r"a +\| hidden (\d+)")
    assert overlord.stop() == 0
    assert not is_alive(int(hidden))


def test_directories_in_directories_go_with_what_was_in_them(place):
    place.service("a", SLEEPER, "RuntimeDirectory=a/b/c a/d", "StateDirectory=e/f")
    overlord = place.start("a")
    overlord.wait_for("is ready")
    assert os.path.isdir(f"{place.runtime}/a/b/c")
    assert overlord.stop() == 0
    assert_clean(place)
    assert not os.path.exists(place.state)


def test_runtimedirectorypreserve_decides_what_a_restart_finds(place):
    for name, preserve in (("no", "no"), ("again", "restart"), ("yes", "yes")):
        note = "ls $$RUNTIME_DIRECTORY; touch $$RUNTIME_DIRECTORY/kept; exec sleep 1000"
        place.service(
            name,
            f"/bin/sh -c '{note}'",
            *(f"RuntimeDirectory={name}", f"RuntimeDirectoryPreserve={preserve}", "Restart=always", "RestartSec=0"),
        )
    overlord = place.start("no", "again", "yes")
    wait_until(lambda: all(os.path.exists(f"{place.runtime}/{name}/kept") for name in ("no", "again", "yes")))
    overlord.wait_for("is starting as process", 3)
    for name in ("no", "again", "yes"):
        os.kill(overlord.pids(f"{name}.service")[0], signal.SIGKILL)
    overlord.wait_for("is ready", 6)
    overlord.wait_for(r"\| kept", 2)
    assert sorted(overlord.find(r"(\w+) +\| kept")) == ["again", "yes"]
    assert overlord.stop() == 0
    assert os.listdir(place.runtime) == ["yes"]


def test_runtimedirectorypreserve_restart_keeps_it_also_for_a_restart_that_takes_the_unit_along(place):
    note = "ls $$RUNTIME_DIRECTORY; touch $$RUNTIME_DIRECTORY/kept; echo up; exec sleep 1000"
    place.service("a", SLEEPER, "Restart=always", "RestartSec=0")
    place.service(
        "b",
        f"/bin/sh -c '{note}'",
        *("RuntimeDirectory=b", "RuntimeDirectoryPreserve=restart"),
        unit=("Requires=a.service", "After=a.service"),
    )
    overlord = place.start("b")
    overlord.wait_for(r"b +\| up")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for(r"b +\| up", 2)
    assert overlord.stop() == 0
    assert len(overlord.find(r"b +\| kept")) == 1
    assert_clean(place)


def test_the_command_with_click_does_the_same(place):
    place.service("a@", "/bin/echo hello %i $WORD", "Environment=WORD=x")
    overlord = place.start("a@b", "--set=WORD=there", module="hafta.cli run")
    assert overlord.wait() == 0
    assert "a@b      | hello b there" in overlord.text


def test_a_bare_python_is_enough(place):
    """No site-packages, so no click and no sdnotify."""
    place.service("a", f"{PYTHON} -c 'print(1)'")
    overlord = place.start("a", flags=("-S",))
    assert overlord.wait() == 0
    assert "a        | 1" in overlord.text


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_ephemeral_state_is_of_one_run_only(place, signum):
    place.service(
        "a", "/bin/sh -c 'touch $$STATE_DIRECTORY/kept; echo $$STATE_DIRECTORY; sleep 1000'", "StateDirectory=x"
    )
    overlord = place.start("a", "--ephemeral")
    (path,) = overlord.wait_for(r"a +\| (/.*)")
    assert path.startswith(f"{place.runtime}/hafta-overlord/")
    assert os.path.exists(f"{path}/kept")
    overlord.stop(signum)
    wait_until(lambda: not os.path.exists(place.runtime))
    assert not os.path.exists(place.state)


def test_an_exec_service_is_ready_when_its_program_runs(place):
    place.service("a", SLEEPER, "Type=exec")
    overlord = place.start("a")
    overlord.wait_for("Unit a.service is ready")
    assert overlord.stop() == 0


def test_an_exec_service_that_ends_at_once_was_up_and_remains(place):
    names = [f"e{number}" for number in range(8)]
    for name in names:
        place.service(name, "/bin/true", "Type=exec", "RemainAfterExit=yes")
    overlord = place.start(*names)
    for name in names:
        overlord.wait_for(f"{name}.service: process .* exited with status 0")
    assert overlord.stop() == 0
    assert len(overlord.find("is ready")) == len(overlord.find("is stopping")) == 8


def test_a_main_process_that_another_reaps_counts_as_ended_well(place):
    adopt = place.script(
        "adopt.py",
        f"""
        {NOTIFY}
        import time
        if pid := os.fork():
            s.send(b"MAINPID=%d\\nREADY=1" % pid)
            os.waitpid(pid, 0)
            time.sleep(1000)
        while not os.path.exists("{place.file("go")}"):
            time.sleep(0.01)
        """,
    )
    place.service("a", adopt, "Type=notify")
    overlord = place.start("a")
    ((child,),) = [overlord.wait_for(r"is ready after .*, process (\d+)")]
    open(place.file("go"), "w").close()
    assert overlord.wait() == 0
    assert f"process {child} exited with status 0" in overlord.text
    assert_clean(place)


def test_who_belongs_to_no_unit_is_not_heard(place):
    place.service("a", "/bin/sh -c 'echo $$NOTIFY_SOCKET; sleep 1000'", "Type=notify", "NotifyAccess=all")
    overlord = place.start("a")
    (path,) = overlord.wait_for(r"a +\| (.*)")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(path)
        stranger.send(b"READY=1")
        stranger.send(b"READY=1")
    overlord.send(signal.SIGUSR1)
    overlord.wait_for("a.service: activating, process")
    assert overlord.stop() == 0
    assert "is ready" not in overlord.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set how many datagrams wait")
def test_what_a_process_said_last_is_heard_behind_the_flood_of_another(place):
    flood = place.script("flood.py", f"{NOTIFY}\nwhile True: s.send(b'X=1')")
    ready = place.script(
        "ready.py",
        f"""
        {NOTIFY}
        runs = os.open("{place.file("runs")}", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.write(runs, b"x")
        s.send(b"READY=1")
        os._exit(os.fstat(runs).st_size >= 20)
        """,
    )
    place.service("flood", flood, "NotifyAccess=all")
    place.service("a", ready, "Type=notify", "Restart=on-success", "RestartSec=0", unit=("StartLimitIntervalSec=0",))
    queue = "echo 512 >/proc/sys/net/unix/max_dgram_qlen"
    overlord = place.start("flood", "a", prefix=("unshare", "--net", "sh", "-c", f'{queue}; exec "$@"', "sh"))
    assert overlord.wait_for("Unit a.service failed: (.*)") == ["its main process failed"]
    assert overlord.stop() == 0


def test_what_runs_otherwise_than_the_unit_says_is_said(place):
    place.service("a", "/bin/true", "KillMode=none", unit=("Wants=nosuch.service",))
    overlord = place.start("a")
    assert overlord.wait() == 0
    assert "a.service: no process outlives its unit: runs as KillMode=control-group" in overlord.text
    assert "a.service wants nosuch.service, which is not there: goes on without it" in overlord.text


def test_kill_passes_over_a_unit_that_waits_for_its_restart(place):
    place.service("a", "/bin/false", "Restart=always", "RestartSec=1000")
    overlord = place.start("a", "--kill=a=0.05", "--for=0.5")
    assert overlord.wait() == 0
    assert len(overlord.find("kills a.service")) <= 1, "the one may come before it has ended by itself"
    assert "Unit a.service is stopped" in overlord.text


def test_extend_timeout_does_not_lengthen_the_wait_for_a_restart(place):
    late = place.script(
        "late.py",
        f"""
        {NOTIFY}
        import time
        main = os.getpid()
        if os.fork() == 0:
            while os.getppid() == main:
                time.sleep(0.01)
            s.send(b"EXTEND_TIMEOUT_USEC=1000000000")
            time.sleep(1000)
        """,
    )
    lines = ("NotifyAccess=all", "KillMode=process", "Restart=always", "RestartSec=300ms")
    place.service("a", late, *lines, unit=("StartLimitBurst=2",))
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert len(overlord.pids("a.service")) == 2


def test_sendsigkill_no_leaves_the_last_word_to_the_service(place):
    slow = place.script(
        "slow.py",
        """
        import signal, time
        told = []
        signal.signal(signal.SIGTERM, lambda *_: told.append(1))
        print("up", flush=True)
        while not told:
            time.sleep(0.01)
        time.sleep(2)  # long enough for an overlord that stalls to see that its time is up
        """,
    )
    place.service("a", slow, "SendSIGKILL=no", "TimeoutStopSec=50ms")
    overlord = place.start("a")
    overlord.wait_for(r"a +\| up")
    assert overlord.stop() == 0
    assert "exited with status 0: it did not end within 50 ms (TimeoutStopSec=)" in overlord.text


def test_a_runtime_directory_of_two_units_stays_until_both_rest(place):
    place.service("a", "/bin/true", "RuntimeDirectory=shared")
    place.service(
        "b",
        f"/bin/sh -c 'while [ ! -e {place.file('go')} ]; do sleep 0.01; done; ls -d $$RUNTIME_DIRECTORY'",
        "RuntimeDirectory=shared",
        unit=("Before=a.service",),
    )
    overlord = place.start("a", "b")
    overlord.wait_for("Unit a.service is stopped")
    open(place.file("go"), "w").close()
    assert overlord.wait() == 0
    assert f"b        | {place.runtime}/shared" in overlord.text
    assert_clean(place)


def test_a_restart_leaves_a_dependent_alone_that_rests(place):
    place.service("a", "/bin/sleep 1000", "Restart=always", "RestartSec=0")
    place.service("b", "/bin/true", unit=("Requires=a.service", "After=a.service"))
    overlord = place.start("b")
    overlord.wait_for("Unit b.service is stopped")
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for("Unit a.service is ready", 2)
    assert len(overlord.pids("b.service")) == 1
    assert overlord.stop() == 0
