"""`hafta drill` in a booted machine, on the packaged client: it comes back, all is undone, and nothing counts."""

import json

import pytest
from services import CLIENT, pid, start, stop

DROP_IN = f"/run/systemd/system.control/{CLIENT}.d"


@pytest.fixture(scope="module")
def fed(installed):
    """The machine with both services running, and no drill yet."""
    start(installed)
    yield installed
    stop(installed)


def drill(machine, *words):
    """Drill the client; return the status, what each drill found, and what was said on stderr."""
    done = machine.run("hafta", "drill", CLIENT, *words, "--yes", "--json", check=False)
    answer = json.loads(done.stdout)
    assert answer["overlord"] == "systemd"
    return done.returncode, {one["drill"]: one for one in answer["drills"]}, done.stderr


def last_day(machine):
    """Return what the status says, once it could read the journal in the time that it takes for that."""
    found = json.loads(machine.run("hafta", "status", CLIENT, "--json").stdout)["services"][0]
    return found if found["restarts"]["killed"] is not None else None


def test_it_is_back_after_kills_and_a_hang_and_nothing_of_that_is_a_failure(fed):
    since = fed.sh("date +@%s.%6N").strip()
    status, found, said = drill(fed, "kill", "stop", "--times", "2")
    assert status == 0, said
    for name, cause in (("kill", "killed SIGKILL"), ("stop", "hang")):
        one = found[name]
        assert (one["verdict"], one["restarts"], {each["cause"] for each in one["rounds"]}) == ("ok", 2, {cause})
        assert all(0 <= each["noticed_seconds"] < each["ready_again_seconds"] for each in one["rounds"])
        assert all(each["resumed"]["sequence"] == "client" for each in one["rounds"])
    report = json.loads(fed.run("hafta", "report", CLIENT, "--json", "--since", since).stdout)["units"][0]
    assert (report["failures"]["n"], report["drills"]["outages"], report["drills"]["drills"]) == (
        0,
        4,
        ["kill", "stop"],
    )
    lines = fed.run("hafta", "log", CLIENT, "--since", since).stdout
    assert lines.count("(drill) main process ended: killed SIGKILL") == 2
    shown = fed.wait_until("the status has the last day", lambda: last_day(fed))
    assert (shown["drill"], shown["restarts"]["drilled"], shown["restarts"]["killed"]) == (None, 4, 0)


def test_a_stuck_journald_and_little_processor_are_undone_and_disturb_nobody_for_long(fed):
    before = fed.get(CLIENT, "CPUQuotaPerSecUSec")
    status, found, said = drill(fed, "journald-stuck", "starved")
    assert status == 0, said
    assert found["journald-stuck"]["verdict"].startswith("ok: not disturbed")
    assert found["starved"]["ok"]
    assert fed.get(CLIENT, "CPUQuotaPerSecUSec") == before
    assert fed.get(CLIENT, "NeedDaemonReload") == "no"
    assert fed.sh(f"ls {DROP_IN} 2>/dev/null || :") == ""
    assert fed.sh(f"cut -d' ' -f3 /proc/{pid(fed, 'systemd-journald.service')}/stat").strip() != "T"


@pytest.mark.parametrize("name", ["starved", "journald-stuck"])
def test_a_drill_that_is_killed_in_the_middle_is_undone(fed, name):
    journald = pid(fed, "systemd-journald.service")
    changed = {
        "starved": f"test -e {DROP_IN}/50-CPUQuota.conf",
        "journald-stuck": f"grep -q 'State:.T' /proc/{journald}/status",
    }[name]
    fed.sh(
        f"hafta drill {CLIENT} {name} --yes >/dev/null 2>/run/drilled & drill=$!;"
        f" for n in $(seq 600); do {changed} && break; sleep 0.1; done; {changed} && kill -9 $drill; wait; :"
    )
    fed.wait_until("it is undone", lambda: fed.sh(f"{changed} && echo still || :") == "")
    fed.wait_until("its end is told", lambda: "is undone" in fed.sh("cat /run/drilled"))
    assert fed.get(CLIENT, "CPUQuotaPerSecUSec") == "infinity"
    assert fed.get(CLIENT, "ActiveState") == "active"


@pytest.mark.parametrize("unit", ["dbus", "systemd-journald", "hafta-nothing"])
def test_what_the_machine_needs_or_has_not_is_refused(fed, unit):
    done = fed.run("hafta", "drill", unit, "--yes", check=False)
    assert done.returncode == (4 if unit == "hafta-nothing" else 2)
    assert len(done.stderr.splitlines()) == 2


def test_only_root_drills_the_systems_units(fed):
    done = fed.run("runuser", "--user", "nobody", "--", "hafta", "drill", CLIENT, "--yes", check=False)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == f"hafta: error: no right to drill {CLIENT}\nhafta: run this as root\n"
