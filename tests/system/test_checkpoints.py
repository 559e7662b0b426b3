"""The checkpoints of the packaged client: its counts outlive SIGKILL and a reboot; `hafta checkpoints` shows them."""

import pytest
from services import (
    CLIENT,
    SERVER,
    checkpoints,
    pid,
    said,
    start,
    stop,
    wait_for_other_pid,
    wait_for_read,
    wait_for_running,
    worker,
)


@pytest.fixture(scope="module")
def running(installed):
    """The machine of the module with both services running."""
    start(installed)
    yield installed
    stop(installed)


def test_root_finds_the_record_of_the_running_client(running):
    record = checkpoints(running)["client"]
    assert record["path"] == "/var/lib/hafta-client/hafta-client.checkpoint"
    assert (record["status"], record["holder"]["unit"]) == ("running", CLIENT)
    assert record["holder"]["pid"] == worker(running, CLIENT)
    table = running.run("hafta", "checkpoints").stdout.splitlines()
    assert f"hafta-client[{worker(running, CLIENT)}]" in table[1]
    assert max(map(len, table)) <= 80


def test_a_user_is_told_where_only_root_can_look(running):
    done = running.run("runuser", "--user", "nobody", "--", "hafta", "checkpoints")
    assert "hafta: cannot read /var/lib/hafta-client: run this as root" in done.stderr


def test_the_counts_of_a_killed_client_go_on(running):
    running.wait_until("it has read", lambda: checkpoints(running)["client"]["kept"]["good"] >= 3)
    for _ in range(5):
        cursor, old, before = running.cursor(), pid(running, CLIENT), checkpoints(running)["client"]["kept"]
        running.run("systemctl", "kill", "--signal=KILL", CLIENT)
        wait_for_other_pid(running, CLIENT, old)
        wait_for_read(running, running.cursor())
        running.wait_until(  # a read is on record when the next one begins
            "it has recorded a read", lambda good=before["good"]: checkpoints(running)["client"]["kept"]["good"] > good
        )
        after = checkpoints(running)["client"]["kept"]
        assert all(after[name] >= before[name] for name in ("good", "bad", "rollbacks"))
        assert after["good"] > before["good"] >= 3
        (resumed,) = said(running, CLIENT, "resumed", cursor)
        assert resumed["HAFTA_SEQUENCE"] == "client"


def test_a_hung_client_is_read_without_waking_it(running):
    running.run("systemctl", "service-watchdogs", "no")  # or else it could be killed before we have looked twice
    running.run("systemctl", "kill", "--signal=STOP", CLIENT)
    try:
        running.wait_until("it has stopped", lambda: running.sh(f"ps -o stat= {pid(running, CLIENT)}").startswith("T"))
        first, second = checkpoints(running)["client"], checkpoints(running)["client"]
        assert first["number"] == second["number"]
        assert first["status"] == "running"
    finally:
        running.run("systemctl", "kill", "--signal=CONT", CLIENT)
        running.run("systemctl", "service-watchdogs", "yes")
    wait_for_running(running, CLIENT)


def test_a_stopped_client_keeps_its_counts_and_they_outlive_a_reboot(running):
    running.run("systemctl", "enable", SERVER, CLIENT)
    before = checkpoints(running)["client"]["kept"]
    running.reboot()
    wait_for_running(running, CLIENT)
    running.wait_until("it has read on", lambda: checkpoints(running)["client"]["kept"]["good"] > before["good"])
    running.run("systemctl", "disable", SERVER, CLIENT)


def test_the_record_is_discarded_only_when_the_client_is_down(running):
    refused = running.run("hafta", "checkpoints", "discard", "client", "--yes", check=False)
    assert (refused.returncode, f"({CLIENT})" in refused.stderr) == (25, True)
    running.run("systemctl", "stop", CLIENT)
    assert checkpoints(running)["client"]["status"] in {"stopped", "ended"}
    running.run("hafta", "checkpoints", "discard", "client", "--yes")
    assert "client" not in checkpoints(running)
    cursor = running.cursor()
    running.run("systemctl", "start", CLIENT)
    wait_for_read(running, cursor)
    assert said(running, CLIENT, "resumed", cursor) == []


def test_a_client_of_another_pipe_has_a_record_of_its_own(running):
    running.run("mkfifo", "--mode=640", "/run/hafta/other")
    running.run("chown", "hafta:hafta", "/run/hafta/other")
    running.run("systemctl", "start", "hafta-client@other.service")
    running.wait_until("both are there", lambda: {"client", "client@other"} <= checkpoints(running).keys())
    assert checkpoints(running)["client@other"]["path"].startswith("/var/lib/hafta-client@other/")
    assert checkpoints(running)["client@other"]["holder"]["unit"] == "hafta-client@other.service"
    running.run("systemctl", "stop", "hafta-client@other.service")
