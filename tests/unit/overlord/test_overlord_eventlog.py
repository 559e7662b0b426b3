"""What a real overlord keeps in its event log: also when it is killed at any write, and beside services that flood."""

import json
import os
import signal
import subprocess
import sys

import pytest
from overlord_harness import ROOT

from hafta.eventlog.format import EVENTS, OUTPUT
from hafta.eventlog.lines import Row, entries

HERE = os.path.dirname(os.path.abspath(__file__))
CRASHES = ("Restart=always", "RestartSec=50ms")


def read(place, row=EVENTS, slot=0):
    """Return the entries of a row; None is damage."""
    source = Row(os.path.join(place.state, "hafta-overlord/events", str(slot)), row)
    found = list(entries(source))
    if source.is_torn:
        found.append(None)
    return found


def events(place, unit):
    """Return what the overlord itself has said of a unit."""
    found = (one for one in read(place) if one and one.get("UNIT") == unit and one["_TRANSPORT"] == "driver")
    return [one["HAFTA_EVENT"] for one in found]


def test_each_start_end_and_restart_of_a_unit_is_kept_as_it_was_not_summed_up(place):
    place.service("a", "/bin/sh -c 'exit 3'", "Restart=always", "RestartSec=0", unit=("StartLimitBurst=30",))
    overlord = place.start("a")
    assert overlord.wait() == 1
    assert events(place, "a.service").count("unit-exited") == 30
    ends = [one for one in read(place) if one.get("HAFTA_EVENT") == "unit-exited"]
    assert {(one["EXIT_CODE"], one["EXIT_STATUS"], one["COMMAND"]) for one in ends} == {("exited", "3", "ExecStart")}
    assert len({one["INVOCATION_ID"] for one in ends}) == 30
    assert [one["N_RESTARTS"] for one in read(place) if "N_RESTARTS" in one] == [str(n) for n in range(1, 31)]


def test_what_a_service_prints_is_kept_with_its_unit_its_run_and_its_priority(place):
    place.service("a", "/bin/sh -c 'echo one; echo \"<3>two\" >&2'", "RemainAfterExit=no")
    assert place.start("a").wait() == 0
    lines = [one for one in read(place, OUTPUT) if "MESSAGE" in one and "HAFTA_EVENT_LOG" not in one]
    assert [(one["MESSAGE"], one["PRIORITY"], one["_SYSTEMD_UNIT"]) for one in lines] == [
        ("one", "6", "a.service"), ("two", "3", "a.service"),
    ]  # fmt: skip
    run = next(one["INVOCATION_ID"] for one in read(place) if one.get("HAFTA_EVENT") == "unit-ready")
    assert {one["_SYSTEMD_INVOCATION_ID"] for one in lines} == {run}


@pytest.mark.parametrize("at", range(1, 17))
def test_an_overlord_that_is_killed_at_any_write_of_its_log_loses_no_line_but_the_torn_one(place, at):
    place.service("a", "/bin/sh -c 'echo hi; exit 3'", *CRASHES, unit=("StartLimitIntervalSec=0",))
    written = place.file("written")
    cut = (0.0, 0.5, 0.99)[at % 3]
    told = {"HAFTA_TEST_AT": str(at), "HAFTA_TEST_CUT": str(cut), "HAFTA_TEST_WRITTEN": written}
    first = place.start("a", module="overlord_killed_at", environ={"PYTHONPATH": f"{ROOT}:{HERE}", **told})
    assert first.wait() == -signal.SIGKILL
    first.killed = True
    second = place.start("a")
    second.wait_for("a.service is ready")
    assert second.stop() == 0
    kept = [one for row in (EVENTS, OUTPUT) for one in read(place, row)]
    with open(written) as file:
        before = [json.loads(line) for line in file]
    assert len(before) == at - 1
    assert [one for one in before if one not in kept] == []
    assert kept.count(None) <= 1
    if cut:
        assert None in kept
    assert [one["HAFTA_EVENT"] for one in kept if one and one.get("HAFTA_EVENT", "").startswith("overlord")][-2:] == [
        "overlord-started", "overlord-stopped",
    ]  # fmt: skip


def test_without_an_event_log_nothing_is_kept(place):
    place.service("a", "/bin/true")
    assert place.start("a", "--no-event-log").wait() == 0
    assert not os.path.exists(place.state)


def test_where_there_can_be_no_event_log_the_units_run_all_the_same_and_a_line_says_so(place):
    place.service("a", "/bin/true")
    with open(place.state, "w"):
        pass
    overlord = place.start("a")
    assert overlord.wait() == 0
    overlord.wait_for("there is no event log: .*: Not a directory|there is no event log: .*: File exists")


def hafta(place, *words):
    """Run a command on the event log of a place; return what it prints, and its exit status."""
    environ = {**os.environ, "PYTHONPATH": ROOT, "HAFTA_RUNTIME_DIR": place.runtime, "HAFTA_STATE_DIR": place.state}
    command = [sys.executable, "-m", "hafta.cli", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.returncode


def kill_times(place, overlord, count):
    """Kill the main process of a.service so many times, each time when it is ready."""
    for number in range(1, count + 1):
        overlord.wait_for("a.service is ready", number)
        os.kill(overlord.pids("a.service")[-1], signal.SIGKILL)
    overlord.wait_for("a.service is ready", count + 1)


def by_hand(place, unit):
    """Read the log with nothing of HAFTA: return how often the unit ended, and how long it was up and down."""
    folder = os.path.join(place.state, "hafta-overlord/events/0")
    ups, ends = [], []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("events-"):
            continue
        with open(os.path.join(folder, name)) as file:
            for one in map(json.loads, file):
                if one.get("UNIT") == unit and one.get("HAFTA_EVENT") in {"unit-ready", "unit-exited"}:
                    row = ups if one["HAFTA_EVENT"] == "unit-ready" else ends
                    row.append(int(one["__MONOTONIC_TIMESTAMP"]) / 1e6)
    failed = ends[: len(ups) - 1]
    up = sum(end - begin for begin, end in zip(ups, failed, strict=False))
    down = sum(begin - end for begin, end in zip(ups[1:], failed, strict=True))
    return len(failed), up, down


def test_ten_kills_are_ten_failures_with_the_right_seconds_in_report_log_and_status(place):
    place.service("a", "/bin/sleep 1000", "Restart=always", "RestartSec=50ms", unit=("StartLimitIntervalSec=0",))
    overlord = place.start("a")
    kill_times(place, overlord, 10)
    count, up, down = by_hand(place, "a.service")
    (unit,) = json.loads(hafta(place, "report", "a", "--json", "--overlord")[0])["units"]
    assert (unit["failures"]["n"], unit["failures"]["causes"]) == (count, {"killed SIGKILL": 10})
    assert unit["seconds"]["down"] + unit["seconds"]["held"] == pytest.approx(down, abs=0.001)
    assert unit["seconds"]["up"] > up
    status = json.loads(hafta(place, "status", "a", "--json")[0])["services"][0]
    assert status["restarts"]["killed"] == 10
    runs = [json.loads(line) for line in hafta(place, "log", "a", "--runs", "--json", "--overlord")[0].splitlines()]
    assert [one["ended"] for one in runs] == ["killed SIGKILL"] * 10 + ["running"]
    assert overlord.stop() == 0
    (unit,) = json.loads(hafta(place, "report", "a", "--json", "--directory", place.state)[0])["units"]
    assert unit["failures"]["n"] == 10
    assert unit["seconds"]["down"] + unit["seconds"]["held"] == pytest.approx(down, abs=0.001)
    last = json.loads(hafta(place, "log", "a", "--runs", "--json", "--directory", place.state)[0].splitlines()[-1])
    assert last["ended"] == "stopped"


def test_an_overlord_that_is_killed_and_not_followed_is_told_and_nothing_is_up_any_more(place):
    place.service("a", "/bin/sh -c 'echo hi; exec sleep 1000'")
    overlord = place.start("a")
    overlord.wait_for("a.service is ready")
    overlord.send(signal.SIGKILL)
    overlord.wait()
    text, status = hafta(place, "log", "a", "--overlord")
    assert status == 0
    assert "lived until here at least, and was then killed" in text
    (unit,) = json.loads(hafta(place, "report", "a", "--json", "--overlord")[0])["units"]
    assert [span["class"] for span in unit["intervals"]][-1] != "up"
    assert "the overlord was killed" in json.dumps(unit)


def test_a_log_is_followed_while_the_overlord_writes_it_over_several_files(place):
    place.service("a", "/bin/sh -c 'while :; do echo tick; sleep 0.05; done'")
    overlord = place.start("a")
    overlord.wait_for("tick")
    environ = {**os.environ, "PYTHONPATH": ROOT, "HAFTA_STATE_DIR": place.state, "HAFTA_RUNTIME_DIR": place.runtime}
    command = [sys.executable, "-u", "-m", "hafta.cli", "log", "a", "-f", "-n", "1", "--overlord", "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as follower:
        seen = [json.loads(follower.stdout.readline())["message"] for _ in range(5)]
        assert seen.count("tick") >= 4
        assert overlord.stop() == 0
        while "Unit a.service is stopped" not in seen:  # each line is one more: it ends, or the test's time is up
            seen.append(json.loads(follower.stdout.readline())["message"])
        follower.kill()


def test_an_overlord_log_of_somebody_else_or_none_is_said_in_words(place):
    text, status = hafta(place, "report", "a", "--overlord")
    assert (text, status) == ("", 5)
    os.makedirs(place.state)
    assert hafta(place, "report", "a", "--directory", place.state)[1] in {4, 5}
