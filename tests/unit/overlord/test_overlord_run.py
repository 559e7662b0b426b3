"""The overlord as its user meets it: real processes, real signals, a real notify socket."""

import os
import signal
import stat

import pytest
from overlord_harness import NOTIFY, PYTHON, is_alive, wait_until

SLEEPER = "/bin/sleep 1000"


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
    assert os.listdir(place.state) == ["hafta-overlord"], "the event log stays"


def test_a_killed_main_process_is_restarted_and_takes_its_children_with_it(place):
    place.service("a", "/bin/sh -c 'setsid sleep 1000 & echo child $$!; wait'", "Restart=always", "RestartSec=0")
    overlord = place.start("a")
    children = [int(pid) for pid in overlord.wait_for(r"a +\| child (\d+)")]
    os.kill(overlord.pids("a.service")[0], signal.SIGKILL)
    overlord.wait_for(r"a +\| child (\d+)", 2)
    assert not is_alive(children[0])
    assert "killed by signal 9 (SIGKILL)" in overlord.text
    assert "restart 1" in overlord.text


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
    assert "no ping for 200 ms" in overlord.text
    assert "a        | abort" in overlord.text
    assert "killed by signal 9 (SIGKILL): the watchdog ran out" in overlord.text


def test_units_start_in_order_and_stop_in_reverse_order(place):
    for name, after in (("one", ""), ("two", "one.service"), ("three", "two.service")):
        place.service(name, SLEEPER, unit=(f"After={after}",))
    place.unit("all.target", "[Unit]\nWants=three.service two.service one.service\n")
    overlord = place.start("all.target")
    overlord.wait_for(r"Unit (\w+).service is ready", 3)
    assert overlord.find(r"Unit (\w+).service is starting") == ["one", "two", "three"]
    assert overlord.stop(signal.SIGINT) == 0
    assert overlord.find(r"Unit (\w+).service is stopped") == ["three", "two", "one"]
    assert overlord.find("stopping all in order; a second Ctrl-C ends all at once")
    assert overlord.lines[-1].endswith("Overlord stopped: SIGINT")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGRTMIN + 3])
def test_each_stopping_signal_ends_it_cleanly(place, signum):
    overlord = place.up("a", SLEEPER)
    assert overlord.stop(signum) == 0


def test_under_nohup_a_closed_terminal_does_not_matter(place):
    place.service("a", SLEEPER)
    overlord = place.start("a", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), until="is ready")
    overlord.send(signal.SIGHUP)
    assert overlord.stop(signal.SIGTERM) == 0
    assert overlord.lines[-1].endswith("Overlord stopped: SIGTERM")


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


def test_an_error_in_a_unit_is_one_line_with_a_hint_and_nothing_is_started(place):
    place.service("good", f"/bin/touch {place.file('started')}")
    path = place.service("bad", "/bin/true", "RestartSec=soon")
    overlord = place.start("good", "bad")
    assert overlord.wait() == 2
    assert overlord.lines == [
        f"hafta: error: {path}:4: RestartSec=soon: expected a time span such as 5, 500ms, 1min 30s or infinity",
        f"hafta: correct RestartSec= in {path}",
    ]
    assert not os.path.exists(place.file("started"))


def test_bytes_that_are_no_text_are_shown_as_bytes(place):
    path = place.service("bad", "/bin/true")
    with open(path, "ab") as file:
        file.write(b"RestartSec=\xe9\n")
    overlord = place.start("bad")
    assert overlord.wait() == 2
    assert r"RestartSec=\xe9: expected" in overlord.lines[0]


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


def test_who_is_stopped_for_two_reasons_gets_one_signal(place):
    count = place.script(
        "count.py",
        """
        import os, signal, time
        signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"told\\n"))
        os.write(1, b"up\\n")
        while True:
            time.sleep(1000)
        """,
    )
    place.service("a", SLEEPER)
    overlord = place.up("b", count, "TimeoutStopSec=1", unit=("BindsTo=a.service",), until=r"b +\| up")
    overlord.wait_for("is ready", 2)
    assert overlord.stop() == 0
    assert len(overlord.find(r"b +\| told")) == 1


def test_killmode_process_leaves_the_rest_until_the_overlord_ends(place):
    place.service("a", "/bin/sh -c 'setsid sleep 1000 & echo child $$!; wait'", "KillMode=process")
    overlord = place.start("a")
    (child,) = overlord.wait_for(r"a +\| child (\d+)")
    assert overlord.stop() == 0
    assert not is_alive(int(child))
    assert "Killed 1 process that the units had left behind" in overlord.text


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
    place.up("a", relay, "TimeoutStopSec=1", "KillMode=control-group", "RemainAfterExit=yes", until=r"a +\| up")


def test_a_daemon_that_hides_from_its_unit_ends_with_the_overlord(place):
    # A new session, two forks and an empty environment: nothing names its unit any more.
    hide = "/usr/bin/env -i /usr/bin/setsid /bin/sh -c 'sleep 1000 & echo hidden $$!'"
    place.service("a", f'/bin/sh -c "{hide}; sleep 1000"')
    overlord = place.start("a")
    (hidden,) = overlord.wait_for(r"a +\| hidden (\d+)")
    assert overlord.stop() == 0
    assert not is_alive(int(hidden))


def test_directories_in_directories_go_with_what_was_in_them(place):
    overlord = place.up("a", SLEEPER, "RuntimeDirectory=a/b/c a/d", "StateDirectory=e/f")
    assert os.path.isdir(f"{place.runtime}/a/b/c")
    assert overlord.stop() == 0
    assert os.listdir(place.state) == ["hafta-overlord"], "the event log stays"


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
    place.clear()


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
    overlord = place.up("a", slow, "SendSIGKILL=no", "TimeoutStopSec=50ms", until=r"a +\| up")
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
    overlord = place.start("a", "b", until="Unit a.service is stopped")
    open(place.file("go"), "w").close()
    assert overlord.wait() == 0
    assert f"b        | {place.runtime}/shared" in overlord.text
