"""Faults of the machine: the clear error, and recovery when it is put right."""

import pytest
from services import (
    CLIENT,
    SERVER,
    gave_up,
    is_running,
    pid,
    said,
    sent_at,
    stop,
    wait_for_other_pid,
    wait_for_pings,
    wait_for_read,
    worker,
)

WATCHDOG = 5.0  # WatchdogSec= of the units

#: Sends to the journal until its queue is full; each socket may have only some of it, so it takes several.
FILL_THE_QUEUE = """
import socket
while True:
    sender, sent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK), 0
    try:
        while True:
            sender.sendto(b"MESSAGE=in the way\\n", "/run/systemd/journal/socket")
            sent += 1
    except BlockingIOError:
        if not sent:
            break
"""

#: What takes the pipe's place, the exit status that says so, and the words.
INSTEAD = {
    "file": ("echo precious > /run/hafta/pipe", 21, "regular file"),
    "directory": ("mkdir /run/hafta/pipe", 21, "directory"),
    "symlink": ("ln -s /etc/shadow /run/hafta/pipe", 22, "symbolic link"),
    "foreign pipe": ("mkfifo -m 666 /run/hafta/pipe; chown daemon /run/hafta/pipe", 23, "/run/hafta/pipe"),
    "no permission": ("mkfifo -m 600 /run/hafta/pipe; chown root:root /run/hafta/pipe", 5, "/run/hafta/pipe"),
}


def numbers(entries, process):
    numbered = [entry for entry in entries if "HAFTA_NUMBER" in entry]  # lines that a program prints are not
    return [int(entry["HAFTA_NUMBER"]) for entry in numbered if entry.get("_PID") == str(process)]


def test_a_stuck_journal_delays_nobody_and_its_loss_is_counted(running):
    """Nobody waits for journald; when it goes on, an entry tells how many did not get through."""
    processes = {unit: pid(running, unit) for unit in (SERVER, CLIENT)}
    cursor, reading = running.cursor(), worker(running, CLIENT)
    wait_for_read(running, cursor)
    running.run("systemctl", "kill", "--signal=STOP", "systemd-journald.service")
    try:
        running.run("python3", "-c", FILL_THE_QUEUE)
        for unit in processes:
            wait_for_pings(running, unit, WATCHDOG)
    finally:
        running.run("systemctl", "kill", "--signal=CONT", "systemd-journald.service")
    wait_for_read(running, running.cursor())
    assert {unit: pid(running, unit) for unit in processes} == processes
    running.wait_until("the loss is told", lambda: said(running, CLIENT, "events-dropped", cursor))
    entries = running.journal(f"_SYSTEMD_UNIT={CLIENT}", since=cursor)
    seen = numbers(entries, reading)
    gaps = seen[-1] - seen[0] + 1 - len(seen)
    told = sum(int(entry["HAFTA_COUNT"]) for entry in entries if entry.get("HAFTA_EVENT") == "events-dropped")
    assert told > 0
    assert told >= gaps


def test_a_restarted_journal_is_written_to_again(running):
    processes = {unit: pid(running, unit) for unit in (SERVER, CLIENT)}
    sockets = "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket"
    running.sh(f"systemctl stop {sockets} systemd-journald.service 2>/dev/null")
    running.sh("! systemctl is-active systemd-journald.service")
    for unit in processes:
        wait_for_pings(running, unit, WATCHDOG)
    running.sh(f"systemctl start {sockets} systemd-journald.service 2>/dev/null", check=False)
    wait_for_read(running, running.cursor())
    assert {unit: pid(running, unit) for unit in processes} == processes


@pytest.mark.parametrize("what", INSTEAD)
def test_what_stands_in_the_pipes_place_is_named_and_left_alone(running, what):
    make, status, words = INSTEAD[what]
    cursor = running.cursor()
    before = pid(running, SERVER)
    running.sh(f"rm /run/hafta/pipe; {make}; ls -ldi /run/hafta/pipe /etc/shadow > /var/tmp/before")
    running.run("kill", "-KILL", str(before))
    failed = running.wait_for_entry(f"_SYSTEMD_UNIT={SERVER}", "HAFTA_EVENT=service-failed", since=cursor)
    assert failed["HAFTA_STATUS"] == str(status)
    assert words in failed["MESSAGE"]
    assert failed["HAFTA_HINT"]
    assert running.sh("ls -ldi /run/hafta/pipe /etc/shadow") == running.sh("cat /var/tmp/before")
    client = pid(running, CLIENT)
    assert is_running(running, CLIENT)

    mended = running.cursor()
    running.sh("rm -r /run/hafta/pipe")
    wait_for_read(running, mended)
    assert not gave_up(running, SERVER, cursor)
    assert pid(running, CLIENT) == client


def test_a_full_runtime_directory_is_named_and_outlived(running):
    """No inode is left for the pipe, nor for the count of crashes, and still it does not spin."""
    stop(running)
    options = "nr_inodes=3,mode=750,uid=$(id -u hafta),gid=$(id -g hafta)"
    running.sh(f"mkdir -p /run/hafta; mount -t tmpfs -o {options} hafta-test /run/hafta")
    running.sh("touch /run/hafta/1 /run/hafta/2")
    cursor = running.cursor()
    try:
        running.sh("systemctl mask --runtime hafta-server; systemctl start hafta-client")
        running.sh("systemctl unmask --runtime hafta-server; systemctl start --no-block hafta-server")
        failed = running.wait_for_entry(f"_SYSTEMD_UNIT={SERVER}", "HAFTA_EVENT=service-failed", since=cursor)
        assert failed["HAFTA_STATUS"] == "24"
        assert "/run/hafta/pipe" in failed["MESSAGE"]
        running.wait_until("three more starts", lambda: len(said(running, SERVER, "service-failed", cursor)) > 3)
        times = [sent_at(entry) for entry in said(running, SERVER, "service-failed", cursor)]
        assert times[3] - times[0] > 2.5  # about a second each
        assert is_running(running, CLIENT)
    finally:
        running.sh("rm /run/hafta/1 /run/hafta/2")
    wait_for_read(running, running.cursor())
    stop(running)
    running.sh("umount /run/hafta; rm -rf /run/hafta")


def test_a_run_without_a_byte_left_does_not_stop_a_restart(running):
    """The pipe is there already and needs no room; the crash counter is overwritten in its place."""
    before = pid(running, SERVER)
    running.sh(
        "mount -o remount,size=$(( $(df --output=used --block-size=1k /run | tail -n 1) + 64 ))k /run;"
        "cat /dev/zero > /run/fill 2>/dev/null || :"
    )
    try:
        cursor = running.cursor()
        running.run("kill", "-KILL", str(before))
        wait_for_other_pid(running, SERVER, before)
        wait_for_read(running, cursor)
    finally:
        running.sh("rm -f /run/fill; mount -o remount,size=50% /run")


def test_a_second_copy_says_that_the_pipe_is_in_use(running):
    done = running.run(
        *("setpriv", "--reuid=hafta", "--regid=hafta", "--clear-groups"),
        *("hafta-server", "--pipe=/run/hafta/pipe", "--count=1"),
        check=False,
    )
    assert done.returncode == 25
    assert "error" in done.stderr
    cursor = running.cursor()
    wait_for_read(running, cursor)
