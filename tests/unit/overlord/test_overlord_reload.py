"""A reload: ExecReload=, the signal of Type=notify-reload, and RELOADING=1 of a unit that reloads by itself."""

import pytest
from overlord_harness import NOTIFY

ASKING = """
    import sys
    from hafta.overlord import main
    from hafta.overlord.overlord import Overlord
    take = Overlord._take_signal
    def reload_all(self, signum):
        if signum != 10:
            return take(self, signum)
        for name in self._manager.runners:
            self.note("reload: " + (self._manager.reload(name) or "begun"))
    Overlord._take_signal = reload_all
    sys.exit(main())
"""


class Reloads:
    """An overlord that is asked for a reload of its units by SIGUSR1."""

    def __init__(self, place, *units):
        place.script("asking.py", ASKING)
        self.overlord = place.start(*units, module="asking", environ={"PYTHONPATH": f"{place.root}:{place.path}"})

    def ask(self):
        self.overlord.send(10)
        return self.overlord


@pytest.fixture
def start(place):
    """Start a unit of these lines, and return what asks for its reload."""
    from overlord_harness import ROOT

    place.root = ROOT

    def start(*lines):
        place.unit("u.service", "\n".join(["[Service]", *lines]) + "\n")
        reloads = Reloads(place, "u")
        reloads.overlord.wait_for("Unit u.service is ready")
        return reloads

    return start


def test_exec_reload_knows_the_main_process_and_the_unit_stays_active(start):
    reloads = start("ExecStart=/bin/sleep 1000", "ExecReload=/bin/echo one $MAINPID", "ExecReload=/bin/echo two")
    overlord = reloads.ask()
    overlord.wait_for("Unit u.service is reloaded")
    (pid,) = overlord.pids("u.service")
    assert [line.partition("| ")[2] for line in overlord.lines if line[0] == "u"] == [f"one {pid}", "two"]
    reloads.ask()
    overlord.wait_for("Unit u.service is reloaded", count=2)
    assert overlord.stop() == 0


@pytest.mark.parametrize(
    ("command", "seconds", "why"),
    [
        ("/bin/false", 60, "ExecReload= failed"),
        ("/none", 60, "ExecReload= failed: cannot run /none: No such file or directory"),
        ("/bin/sleep 99", 0.5, "it was not reloaded in time (TimeoutStartSec=)"),
    ],
)
def test_a_reload_that_fails_changes_nothing_else(start, command, seconds, why):
    reloads = start(
        "ExecStart=/bin/sleep 1000", f"ExecReload={command}", "ExecReload=/bin/echo never", f"TimeoutStartSec={seconds}"
    )
    overlord = reloads.ask()
    assert overlord.wait_for("Unit u.service was not reloaded: (.*)") == [why]
    reloads.ask()
    overlord.wait_for("Unit u.service was not reloaded: (.*)", count=2)
    assert overlord.stop() == 0
    assert "never" not in overlord.text
    assert "Unit u.service is stopped" in overlord.text


def test_a_unit_without_a_reload_and_one_that_reloads_already_say_so(start):
    reloads = start("ExecStart=/bin/sleep 1000")
    reloads.ask().wait_for("reload: u.service cannot reload: it has no ExecReload=")
    assert reloads.overlord.stop() == 0
    reloads = start("ExecStart=/bin/sleep 1000", "ExecReload=/bin/sh -c 'echo reloading; sleep 1000'")
    reloads.ask().wait_for("reloading")
    reloads.ask().wait_for("reload: u.service is reloading already")
    assert reloads.overlord.stop() == 0, "a stop does not wait for the reload"


def test_a_main_process_that_ends_during_a_reload_ends_the_unit_behind_it(start):
    reloads = start(
        "ExecStart=/bin/sleep 1000",
        "ExecReload=/bin/sh -c 'kill -9 $$MAINPID; sleep 0.3; echo through'",
        "ExecStop=/bin/echo STOP",
        "ExecStopPost=/bin/sh -c 'echo POST $$SERVICE_RESULT'",
    )
    overlord = reloads.ask()
    assert overlord.wait() == 1
    assert [line.partition("| ")[2] for line in overlord.lines if line[0] == "u"] == ["through", "POST signal"]


RELOADER = f"""
    {NOTIFY}
    import signal, sys, time
    def say(text):
        s.send(text.encode())
    def reload(*_):
        old = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6) - (10**6 if "stale" in sys.argv else 0)
        if "silent" not in sys.argv:
            say(f"RELOADING=1\\nMONOTONIC_USEC={{old}}")
            print("reloads", flush=True)
            time.sleep(0.1)
            say("READY=1\\nSTATUS=loaded again")
    signal.signal(signal.SIGHUP, reload)
    signal.signal(signal.SIGUSR2, reload)
    say("READY=1")
    while True:
        time.sleep(1000)
"""


@pytest.mark.parametrize("lines", [(), ("ReloadSignal=USR2",), ("ExecReload=/bin/echo first",)])
def test_a_notify_reload_service_gets_its_signal_and_says_when_it_is_done(place, start, lines):
    program = place.script("reloader.py", RELOADER)
    reloads = start("Type=notify-reload", f"ExecStart={program}", *lines)
    overlord = reloads.ask()
    overlord.wait_for("Unit u.service is reloaded")
    shown = [line.partition("| ")[2] for line in overlord.lines if line[0] == "u"]
    assert shown == (["first", "reloads"] if "first" in "".join(lines) else ["reloads"])


@pytest.mark.parametrize("word", ["silent", "stale"])
def test_a_notify_reload_service_that_does_not_answer_the_signal_stays_active(place, start, word):
    program = place.script("reloader.py", RELOADER)
    reloads = start("Type=notify-reload", f"ExecStart={program} {word}", "TimeoutStartSec=0.5")
    overlord = reloads.ask()
    assert overlord.wait_for("Unit u.service was not reloaded: (.*)") == [
        "it was not reloaded in time (TimeoutStartSec=)"
    ]


def test_a_service_may_reload_by_itself(place, start):
    program = place.script(
        "own.py",
        f"""
        {NOTIFY}
        import time
        for text in ("READY=1", "RELOADING=1", "READY=1"):
            s.send(text.encode())
            time.sleep(0.1)
        time.sleep(1000)
        """,
    )
    reloads = start("Type=notify", f"ExecStart={program}")
    reloads.overlord.wait_for("Unit u.service is reloaded")
    assert reloads.overlord.stop() == 0
