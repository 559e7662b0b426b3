"""`hafta ctl daemon-reload` and `reload`: what changes when, and what stays as it was."""

import os

import pytest
from control_support import show
from overlord_harness import wait_until
from test_overlord_ctl import ctl


@pytest.fixture
def running(place):
    """A unit that is up and one that rests."""
    place.service("a", "/bin/sleep 1000")
    place.service("b", "/bin/true", "Type=oneshot")
    place.start("a", "b").wait_for("is ready")
    return place


def test_what_has_changed_counts_from_the_next_start_on(running):
    before = show(running, "a", "MainPID", "RestartUSec", "NeedDaemonReload")
    running.service("a", "/bin/sleep 2000", "RestartSec=7")
    os.utime(f"{running.units}/a.service", (1, 1))
    assert show(running, "a", "NeedDaemonReload") == {"NeedDaemonReload": True}
    assert ctl(running, "daemon-reload").status == 0
    assert show(running, "a", "MainPID", "RestartUSec", "NeedDaemonReload") == {**before, "NeedDaemonReload": False}
    assert ctl(running, "restart", "a").status == 0
    after = show(running, "a", "MainPID", "RestartUSec", "ExecStart")
    assert (after["RestartUSec"], after["ExecStart"][0]["argv"]) == (7_000_000, ["/bin/sleep", "2000"])
    assert after["MainPID"] not in {0, before["MainPID"]}


def test_a_restart_after_a_crash_takes_the_new_file_and_goes_on_counting(running):
    running.service("a", "/bin/sleep 1000", "Restart=always", "RestartSec=0")
    assert ctl(running, "daemon-reload").status == 0
    assert ctl(running, "restart", "a").status == 0
    running.service("a", "/bin/sleep 2000", "Restart=always", "RestartSec=0")
    assert ctl(running, "daemon-reload").status == 0
    for number in (1, 2):
        assert ctl(running, "kill", "-s", "KILL", "a").status == 0
        wait_until(lambda number=number: show(running, "a", "NRestarts") == {"NRestarts": number})
    wait_until(lambda: ctl(running, "is-active", "a").status == 0)
    assert show(running, "a", "ExecStart")["ExecStart"][0]["argv"] == ["/bin/sleep", "2000"]


def test_a_file_that_is_wrong_by_now_changes_nothing_and_is_named(running):
    running.service("a", "/bin/sleep 2000", "Restart=perhaps")
    os.unlink(f"{running.units}/b.service")
    answer = ctl(running, "daemon-reload")
    assert answer.status == 1
    assert "a.service stays as it was: " in answer.err
    assert "Restart=perhaps" in answer.err or "'perhaps'" in answer.err
    assert "b.service stays as it was: there is no unit b.service" in answer.err
    assert ctl(running, "restart", "a").status == 0
    assert show(running, "a", "ExecStart")["ExecStart"][0]["argv"] == ["/bin/sleep", "1000"]


def test_a_cycle_is_not_taken(running):
    running.service("b", "/bin/true", "Type=oneshot", unit=("After=a.service", "Requires=a.service"))
    running.service("a", "/bin/sleep 1000", unit=("After=b.service", "Requires=b.service"))
    answer = ctl(running, "daemon-reload")
    assert (answer.status, "ordering cycle" in answer.err) == (1, True)
    assert ctl(running, "restart", "a").status == 0


def test_new_relations_count(running):
    running.service("c", "/bin/sleep 1000")
    running.service("a", "/bin/sleep 1000", unit=("Wants=c.service", "After=c.service"))
    assert ctl(running, "daemon-reload").status == 0
    assert ctl(running, "is-active", "c").status == 3
    assert ctl(running, "stop", "a").status == 0
    assert ctl(running, "start", "a").status == 0
    assert ctl(running, "is-active", "a", "c").out == "active\nactive\n"


def test_a_new_runtime_directory_goes_with_the_overlord(running):
    running.service("a", "/bin/sleep 1000", "RuntimeDirectory=fresh")
    assert ctl(running, "daemon-reload").status == 0
    assert ctl(running, "restart", "a").status == 0
    assert os.path.isdir(f"{running.runtime}/fresh")
    running.overlords[0].destroy()
    wait_until(lambda: not os.path.exists(running.runtime))


def test_a_reload_runs_its_command_and_waits_for_it(running):
    running.service(
        "r", "/bin/sleep 1000", f"ExecReload=/bin/sh -c 'sleep 0.2; echo $$MAINPID > {running.file('reloaded')}'"
    )
    assert ctl(running, "reload", "r").err == "r.service is not active, cannot reload.\n"
    assert ctl(running, "start", "r").status == 0
    pid = show(running, "r", "MainPID", "CanReload")
    assert pid["CanReload"] is True
    for verb in ("reload", "reload-or-restart", "try-reload-or-restart"):
        assert ctl(running, verb, "r").status == 0
        assert running.read("reloaded").strip() == str(pid["MainPID"])
        os.unlink(running.file("reloaded"))


def test_a_reload_that_fails_says_so_and_the_unit_stays_up(running):
    running.service("r", "/bin/sleep 1000", "ExecReload=/bin/false")
    assert ctl(running, "start", "r").status == 0
    answer = ctl(running, "reload", "r")
    assert answer.status == 1
    assert answer.err.startswith('Job for r.service failed.\nSee "hafta ctl status r.service"')
    assert ctl(running, "is-active", "r").status == 0


def test_what_has_no_reload_is_restarted_by_reload_or_restart(running):
    before = show(running, "a", "MainPID")
    assert ctl(running, "reload-or-restart", "a").status == 0
    assert show(running, "a", "MainPID") != before
    assert ctl(running, "try-reload-or-restart", "b").status == 0
    assert ctl(running, "is-active", "b").out == "inactive\n"
