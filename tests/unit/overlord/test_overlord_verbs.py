"""`hafta ctl start` and the like: what they do to units, what they wait for, and what they say when it fails."""

import json
import os
import time

import pytest
from control_support import Asking, ask, path_of, show
from overlord_harness import is_alive, wait_until
from test_overlord_ctl import ctl

JOB = "Job for"
SIGNAL = "a fatal signal was delivered to the control process"
RESET = "Failed to reset failed state of unit"


def told(answer):
    """Return status and the first line of what went wrong."""
    return answer.status, answer.err.partition("\n")[0]


@pytest.fixture
def running(place):
    """One unit that is up, and the files of many that are not run."""
    place.service("good", "/bin/sleep 1000")
    place.service("wants", "/bin/sleep 1000", unit=("Wants=other.service",))
    place.service("other", "/bin/sleep 1000")
    place.service("bad", "/bin/false", "Type=oneshot")
    place.service("needs", "/bin/sleep 1000", unit=("Requires=bad.service", "After=bad.service"))
    place.service("late", "/bin/sleep 1000", "Type=notify", "TimeoutStartSec=0.2")
    place.service("early", "/bin/true", "Type=notify")
    place.service("killed", "/bin/sh -c 'kill -9 $$$$'", "Type=oneshot")
    place.service("again", "/bin/false", "Type=oneshot", "Restart=on-failure", "RestartSec=1000")
    place.service("once", "/bin/true", "Type=oneshot")
    place.service("odd", "/bin/true", "Restart=perhaps")
    os.symlink("/dev/null", f"{place.units}/masked.service")
    place.start("good").wait_for("good.service is ready")
    return place


@pytest.mark.parametrize(
    ("words", "status", "first"),
    [
        ("start good", 0, ""),
        ("start once", 0, ""),
        ("start nosuch", 5, "Failed to start nosuch.service: Unit nosuch.service not found."),
        ("start masked", 1, "Failed to start masked.service: Unit masked.service is masked."),
        ("start odd", 1, "Failed to start odd.service: Unit odd.service has a bad unit file setting."),
        ("start bad", 1, "Job for bad.service failed because the control process exited with error code."),
        ("start again", 1, "Job for again.service failed because the control process exited with error code."),
        ("start late", 1, "Job for late.service failed because a timeout was exceeded."),
        ("start killed", 1, f"{JOB} killed.service failed because {SIGNAL}."),
        ("start needs", 1, "A dependency job for needs.service failed. See what the overlord has written for details."),
        ("start --no-block bad", 0, ""),
        ("stop nosuch", 5, "Failed to stop nosuch.service: Unit nosuch.service not loaded."),
        ("stop other", 0, ""),
        ("restart nosuch", 5, "Failed to restart nosuch.service: Unit nosuch.service not found."),
        ("try-restart once", 0, ""),
        ("reload good", 3, "Failed to reload good.service: Job type reload is not applicable for unit good.service."),
        ("kill nosuch", 1, "Failed to kill unit nosuch.service: Unit nosuch.service not loaded."),
        ("reset-failed nosuch", 1, f"{RESET} nosuch.service: Unit nosuch.service not loaded."),
        ("kill --signal=FOO good", 2, "hafta: error: --signal: 'FOO' is not a signal"),
    ],
)  # fmt: skip
def test_each_verb_ends_with_systemctls_status_and_words(running, words, status, first):
    assert told(ctl(running, *words.split())) == (status, first)


def test_a_start_reads_units_that_are_not_run_yet_and_starts_what_they_pull_in(running):
    assert ctl(running, "start", "wants").status == 0
    assert ctl(running, "is-active", "wants", "other").out == "active\nactive\n"
    (overlord,) = running.overlords
    assert overlord.stop() == 0
    assert [overlord.find(f"Unit {name}.service is stopped") != [] for name in ("wants", "other", "good")] == [True] * 3


def test_a_unit_that_is_taken_in_is_locked_like_the_others_and_dies_with_the_overlord(running):
    assert ctl(running, "start", "other").status == 0
    pid = show(running, "other", "MainPID")["MainPID"]
    second = running.start("other")
    assert second.wait() == 25
    running.overlords[0].destroy()
    wait_until(lambda: not is_alive(pid))
    wait_until(lambda: not os.path.exists(running.runtime))


def test_a_unit_that_another_overlord_runs_is_refused(running):
    running.start("other").wait_for("other.service is ready")
    answers = [
        ctl(running, "start", "other", "good", "--overlord", str(overlord.pid), overlord=False,
            HAFTA_RUNTIME_DIR=running.runtime)
        for overlord in running.overlords
    ]  # fmt: skip
    assert sorted(answer.status for answer in answers) == [1, 1]
    assert all("is already run by the overlord of process" in answer.err for answer in answers)


def test_an_overlord_whose_last_unit_was_stopped_here_stays_until_it_is_told_to_end(running):
    assert ctl(running, "stop", "good").status == 0
    assert ctl(running, "is-active", "good").out == "inactive\n"
    time.sleep(0.3)
    assert ctl(running, "start", "good").status == 0
    assert ctl(running, "is-active", "good").out == "active\n"
    assert ctl(running, "stop", "good").status == 0


def test_a_unit_that_was_started_again_and_ends_ends_the_overlord(running):
    ctl(running, "stop", "good")
    ctl(running, "start", "good")
    ctl(running, "kill", "-s", "KILL", "good")
    assert running.overlords[0].wait() == 1


def test_a_restart_gives_another_process_and_takes_along_what_requires_it(running):
    running.service("user", "/bin/sleep 1000", unit=("Requires=good.service", "After=good.service"))
    assert ctl(running, "start", "user").status == 0
    before = [show(running, name, "MainPID", "InvocationID") for name in ("good", "user")]
    assert ctl(running, "restart", "good").status == 0
    assert ctl(running, "is-active", "user").out in {"active\n", "activating\n", "deactivating\n", "inactive\n"}
    wait_until(lambda: ctl(running, "is-active", "user").out == "active\n")
    after = [show(running, name, "MainPID", "InvocationID") for name in ("good", "user")]
    assert all(one[key] != other[key] for one, other in zip(before, after, strict=True) for key in one)
    assert ctl(running, "stop", "good").status == 0
    wait_until(lambda: ctl(running, "is-active", "user").out == "inactive\n")


def test_a_start_while_it_stops_starts_it_after_that(running):
    running.service("slow", "/bin/sh -c 'trap \"sleep 0.5; exit 0\" TERM; sleep 1000 & wait'")
    ctl(running, "start", "slow")
    old = show(running, "slow", "MainPID")["MainPID"]
    ctl(running, "stop", "--no-block", "slow")
    assert ctl(running, "start", "slow").status == 0
    found = show(running, "slow", "MainPID", "ActiveState")
    assert found["ActiveState"] == "active"
    assert found["MainPID"] not in {0, old}


def test_a_stop_cancels_a_start_that_is_waited_for(running):
    running.service("never", "/bin/sleep 1000", "Type=notify")
    with Asking(path_of(running)) as asking:
        asking.send("Do", verb="start", units=["never"], wait=True)
        wait_until(lambda: show(running, "never", "ActiveState")["ActiveState"] == "activating")
        assert ctl(running, "stop", "never").status == 0
        assert asking.receive()["parameters"]["jobs"][0]["result"] == "canceled"


def test_who_dies_while_he_waits_changes_nothing(running):
    running.service("slow", "/bin/sh -c 'sleep 0.5; exit 0'", "Type=oneshot", "RemainAfterExit=yes")
    with Asking(path_of(running)) as asking:
        asking.send("Do", verb="start", units=["slow"], wait=True)
        wait_until(lambda: show(running, "slow", "ActiveState")["ActiveState"] == "activating")
    wait_until(lambda: show(running, "slow", "ActiveState")["ActiveState"] == "active")
    assert ask(running, "Describe")["properties"]["NJobs"] == 0


def test_who_waits_when_the_overlord_ends_is_told(running):
    running.service("never", "/bin/sleep 1000", "Type=notify")
    with Asking(path_of(running)) as asking:
        asking.send("Do", verb="start", units=["never"], wait=True)
        wait_until(lambda: show(running, "never", "ActiveState")["ActiveState"] == "activating")
        assert running.overlords[0].stop() == 0
        assert asking.receive()["parameters"]["jobs"][0]["result"] == "canceled"


def test_too_many_starts_say_how_to_go_on_and_reset_failed_does(running):
    answers = [ctl(running, "start", "bad") for _ in range(6)]
    assert "because start of the service was attempted too often." in answers[-1].err
    assert 'To force a start use "hafta ctl reset-failed bad.service"' in answers[-1].err
    assert ctl(running, "is-system-running").out == "degraded\n"
    assert ctl(running, "reset-failed").status == 0
    assert ctl(running, "is-system-running").out == "running\n"
    assert "exited with error code" in ctl(running, "start", "bad").err


def test_a_signal_reaches_all_or_the_main_process_alone(running):
    trap = 'trap "echo HUP $$$$ >> {}" HUP; while :; do sleep 0.01; done'.format(running.file("hups"))
    running.script("two.sh", f"#!/bin/sh\n({trap.replace('$$$$', 'child')}) &\n{trap.replace('$$$$', 'main')}\n")
    running.service("two", f"/bin/sh {running.file('two.sh')}")
    ctl(running, "start", "two")
    time.sleep(0.3)  # both have set their traps
    assert ctl(running, "kill", "-s", "HUP", "--kill-whom=main", "two").status == 0
    wait_until(lambda: running.read("hups").split() == ["HUP", "main"])
    assert ctl(running, "kill", "--signal", "1", "two").status == 0
    wait_until(lambda: sorted(running.read("hups").split("\n")) == ["", "HUP child", "HUP main", "HUP main"])


def test_what_came_of_it_as_json(running):
    answer = ctl(running, "start", "once", "nosuch", "--json")
    assert answer.status == 5
    assert json.loads(answer.out) == [
        {"unit": "once.service", "job": "start", "result": "done", "why": ""},
        {"unit": "nosuch.service", "message": "there is no unit nosuch.service", "error": "hafta.Overlord.NoSuchUnit"},
    ]


def test_each_change_is_shown_with_who_asked(running):
    ctl(running, "restart", "good")
    assert running.overlords[0].wait_for(rf"overlord . process \d+ of user {os.geteuid()} asks: restart good")
