"""Ten kills and a restart by hand in a booted machine: `hafta report`, held against a reading of the journal."""

import json

import pytest
from services import CLIENT, EXITED, STARTED, pid, start, stop, wait_for_other_pid, wait_for_running

KILLS = 10


@pytest.fixture(scope="module")
def killed(installed):
    """The machine after the kills, and when they began; for the last one journald stands still for two seconds."""
    start(installed)
    since = installed.sh("date +@%s.%6N").strip()
    for number in range(KILLS):
        old = pid(installed, CLIENT)
        journald = pid(installed, "systemd-journald.service") if number == KILLS - 1 else 0
        if journald:
            installed.sh(f"kill -STOP {journald}; kill -9 {old}; sleep 2; kill -CONT {journald}")
        else:
            installed.sh(f"kill -9 {old}")
        wait_for_other_pid(installed, CLIENT, old)
    installed.run("systemctl", "restart", CLIENT)
    wait_for_running(installed, CLIENT)
    installed.run("journalctl", "--sync")
    yield installed, since
    stop(installed)


def report(machine, since, *more):
    return json.loads(machine.run("hafta", "report", CLIENT, "--json", "--since", since, *more).stdout)["units"][0]


def sent(entry):
    """Return when the sender made an entry, by the monotonic clock, in microseconds."""
    lag = int(entry["__REALTIME_TIMESTAMP"]) - int(entry["_SOURCE_REALTIME_TIMESTAMP"])
    return int(entry["__MONOTONIC_TIMESTAMP"]) - lag


def outages(machine, since):
    """Return how long each outage was, by the entries themselves: from the end of the process to the next start."""
    entries = machine.journal("_PID=1", f"UNIT={CLIENT}", f"--since={since}")
    found, ended = [], None
    for entry in entries:
        if entry.get("MESSAGE_ID") == EXITED:
            ended = sent(entry)
        elif entry.get("MESSAGE_ID") == STARTED and ended is not None:
            found, ended = [*found, sent(entry) - ended], None
    return found


def test_the_figures_are_those_of_an_independent_reading(killed):
    machine, since = killed
    found, read = report(machine, since), outages(machine, since)
    assert len(read) == KILLS
    assert (found["failures"]["n"], found["failures"]["causes"]) == (KILLS, {"killed SIGKILL": KILLS})
    assert (found["mttr"]["n"], found["restarts"]["asked"]) == (KILLS, 1)
    down = found["seconds"]["down"] + found["seconds"]["held"]
    assert down == pytest.approx(sum(read) / 1e6, abs=0.001)
    assert found["restoration"]["longest"]["seconds"] == pytest.approx(max(read) / 1e6, abs=0.001)


def test_the_classes_add_up_to_the_time_and_all_of_it_is_known(killed):
    machine, since = killed
    found = report(machine, since)
    assert sum(found["seconds"].values()) == pytest.approx(found["asked_seconds"], abs=1e-6)
    assert found["seconds"]["unknown"] == 0
    assert found["lost"]["events"] == 0
    assert found["seconds"]["up"] > 0


def test_the_status_tells_whether_a_promise_was_kept(killed):
    machine, since = killed
    statuses = [
        machine.run("hafta", "report", CLIENT, "--since", since, "--slo", slo, check=False).returncode
        for slo in ("1", "99.9999")
    ]
    assert statuses == [0, 1]
    lines = machine.run("hafta", "report", "--since", since).stdout
    assert CLIENT in lines  # without a name: all that have reported
    assert "10 killed SIGKILL" in lines


def test_who_may_see_nothing_is_told_who_may(killed):
    machine, _ = killed
    done = machine.run("runuser", "--user", "nobody", "--", "hafta", "report", CLIENT, check=False)
    assert (done.returncode, done.stdout) == (5, "")
    assert "hafta: error: no right to read the journal" in done.stderr
    assert "systemd-journal" in done.stderr


def test_the_log_has_each_run_with_its_end_and_what_its_last_one_did(killed):
    machine, since = killed
    found = [json.loads(line) for line in machine.run("hafta", "log", CLIENT, "--runs", "--json").stdout.splitlines()]
    ends = [one["ended"] for one in found]
    assert ends[-12:] == [*["killed SIGKILL"] * KILLS, "stopped", "running"]
    before = machine.run("hafta", "log", CLIENT, "--run", "-1", "--json").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in before]
    assert [kind for kind in kinds if kind in ("starting", "started", "stopping", "stopped")] == [
        "starting", "started", "stopping", "stopped",
    ]  # fmt: skip
    explained = machine.run("hafta", "log", CLIENT, "--since", since, "-e", "service-stopped", "--explain").stdout
    assert "Subject: Service hafta-client stopped" in explained


def test_the_log_is_followed_through_a_rotation_of_the_journal(killed):
    machine, _ = killed
    script = (
        f"timeout 20 hafta log {CLIENT} -f -n 0 --json > /run/followed & sleep 2; journalctl --rotate;"
        f" systemctl restart {CLIENT}; journalctl --rotate; systemctl restart {CLIENT}; wait || :"
    )
    machine.sh(script)
    kinds = [json.loads(line)["kind"] for line in machine.sh("cat /run/followed").splitlines()]
    assert [kinds.count(kind) for kind in ("stopping", "starting", "started")] == [2, 2, 2]
