"""What dies or hangs is restarted, and the client rolls back and reads good data again."""

import re
import textwrap

import pytest
from services import (
    CLIENT,
    COLD,
    EXITED,
    FAILED,
    SERVER,
    configure,
    explained,
    gave_up,
    is_running,
    pid,
    said,
    sent_at,
    wait_for_other_pid,
    wait_for_pings,
    wait_for_read,
)

WATCHDOG = 5.0  # WatchdogSec= of the units
ABORT = 1.0  # TimeoutAbortSec=
LATE = 3.0  # seconds that PID 1 may come later on a loaded machine: still less than TimeoutStopSec=5 would add

ROLLED_BACK = "fb4d312c3de545b496cd4992e418f146"

#: The shipped programs, except that they hang where the work is done for as long as a file is there. They run cold:
#: what a hung worker of a warm one comes to, test_warm.py looks at.
HANGING = textwrap.dedent(
    """\
    import os, signal, sys
    sys.path.append("/usr/lib/python3/dist-packages")
    from {module} import {owner}
    if os.path.exists("/etc/ignore-abort"):
        import faulthandler
        faulthandler.enable = lambda: None
        signal.signal(signal.SIGABRT, signal.SIG_IGN)
    work = {owner}.{method}
    def hang(self, *words):
        while os.path.exists("/etc/hang"):
            pass
        return work(self, *words)
    {owner}.{method} = hang
    from {package} import main
    sys.exit(main())
    """
)
PLACES = {
    SERVER: {"module": "hafta.server.writer", "owner": "Writer", "method": "_write", "package": "hafta.server.program"},
    CLIENT: {"module": "hafta.reader", "owner": "Reader", "method": "take", "package": "hafta.client"},
}


def replace_program(machine, unit):
    """Run the same service with a place where it can be made to hang."""
    machine.write(f"/usr/local/lib/{unit}.py", HANGING.format(**PLACES[unit]))
    command = f"/usr/bin/python3 -IS /usr/local/lib/{unit}.py"
    machine.write(f"/etc/systemd/system/{unit}.d/hang.conf", f"{COLD}ExecStart=\nExecStart={command}\n")
    machine.sh(f"systemctl daemon-reload; systemctl restart {unit}")


def test_a_killed_server_is_restarted_and_the_client_rolls_back(running):
    before = pid(running, SERVER)
    client = pid(running, CLIENT)
    cursor = running.cursor()
    running.run("kill", "-KILL", str(before))
    wait_for_other_pid(running, SERVER, before)
    wait_for_read(running, running.cursor())
    assert pid(running, CLIENT) == client

    exited = running.wait_for_entry(f"MESSAGE_ID={EXITED}", f"UNIT={SERVER}", since=cursor)
    assert (exited["EXIT_CODE"], exited["EXIT_STATUS"]) == ("killed", "9")
    unwound, undone = said(running, CLIENT, "rolled-back", cursor)
    assert (unwound["HAFTA_NODE"], unwound["HAFTA_UNWINDING"]) == ("get_work", "1")
    assert "the server has closed" in unwound["HAFTA_REASON"]
    assert (undone["HAFTA_NODE"], undone["HAFTA_TO_NODE"]) == ("open_pipe", "open_pipe")
    assert {entry["MESSAGE_ID"] for entry in (unwound, undone)} == {ROLLED_BACK}
    assert {entry["HAFTA_SEQUENCE"] for entry in (unwound, undone)} == {"client"}
    assert int(undone["HAFTA_NUMBER"]) > int(unwound["HAFTA_NUMBER"])
    waited, back = int(undone["HAFTA_DURATION_USEC"]), int(running.get(SERVER, "ExecMainStartTimestampMonotonic"))
    assert waited >= 1_000_000 or int(undone["__MONOTONIC_TIMESTAMP"]) > back, "it waited for the server, or a second"


def test_the_rollback_is_found_and_explained_in_the_journal(running):
    cursor = running.cursor()
    running.run("systemctl", "kill", "--signal=KILL", SERVER)
    running.wait_for_entry("HAFTA_EVENT=rolled-back", "HAFTA_NODE=open_pipe", since=cursor)
    by_node = running.journal("HAFTA_NODE=get_work", "HAFTA_EVENT=rolled-back", since=cursor)
    by_id = running.journal(f"MESSAGE_ID={ROLLED_BACK}", since=cursor)
    assert by_node
    assert all(entry in by_id for entry in by_node)
    shown = explained(running, f"--cursor={cursor}", f"MESSAGE_ID={ROLLED_BACK}")
    assert "Subject: Sequence client rolled back node get_work" in shown
    assert "Defined-By: HAFTA" in shown
    assert "went back from checkpoint" in shown
    assert "If it has a rollback function, that ran with this checkpoint" in shown


def test_a_killed_client_is_restarted_and_reads_on(running):
    before = pid(running, CLIENT)
    running.run("kill", "-KILL", str(before))
    wait_for_other_pid(running, CLIENT, before)
    wait_for_read(running, running.cursor())
    assert is_running(running, SERVER)


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_a_stopped_process_is_killed_by_the_watchdog_and_restarted(running, unit):
    before = pid(running, unit)
    cursor = running.cursor()
    stopped = float(running.sh(f"kill -STOP {before}; date +%s.%N"))
    wait_for_other_pid(running, unit, before)
    failed = running.wait_for_entry(f"MESSAGE_ID={FAILED}", f"UNIT={unit}", since=cursor)
    assert failed["UNIT_RESULT"] == "watchdog"
    assert sent_at(failed) - stopped < WATCHDOG + ABORT + LATE
    wait_for_read(running, running.cursor())


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_an_endless_loop_is_killed_by_the_watchdog_and_shown(running, unit):
    replace_program(running, unit)
    cursor = running.cursor()
    wait_for_read(running, cursor)
    before = pid(running, unit)
    running.sh("touch /etc/hang")
    running.wait_for_entry(f"MESSAGE_ID={FAILED}", f"UNIT={unit}", "UNIT_RESULT=watchdog", since=cursor)
    running.sh("rm /etc/hang")
    wait_for_other_pid(running, unit, before)
    wait_for_read(running, running.cursor())
    shown = running.journal(f"_PID={before}", f"_SYSTEMD_UNIT={unit}", since=cursor)
    trace = "\n".join(entry["MESSAGE"] for entry in shown)
    assert re.search(rf'File "/usr/local/lib/{unit}.py", line \d+ in hang', trace)


def test_a_loop_that_ignores_sigabrt_ends_within_two_seconds_of_it(running):
    """Once of three times, so that a machine that stalls for a moment is not taken for a service that does not end."""
    running.sh("touch /etc/ignore-abort")
    replace_program(running, SERVER)
    times = []
    while len(times) < 3 and not (times and times[-1] < 2):
        cursor = running.cursor()
        wait_for_read(running, cursor)
        running.sh("touch /etc/hang")
        timeout = running.wait_for_entry(f"UNIT={SERVER}", "CODE_FUNC=service_dispatch_watchdog", since=cursor)
        killed = running.wait_for_entry(f"MESSAGE_ID={EXITED}", f"UNIT={SERVER}", "EXIT_STATUS=9", since=cursor)
        running.sh("rm /etc/hang")
        times.append(sent_at(killed) - sent_at(timeout))
    assert times[-1] < 2, times


def test_bad_data_alone_goes_on_for_ever_in_a_bounded_way(running):
    """Five failures, then the previous node; each round costs the server its reader, and so a restart."""
    configure(running, SERVER, interval=0.02, bad_rate=1)
    cursor = running.cursor()
    running.run("systemctl", "restart", SERVER)
    rounds = 8  # more than the first, fast restarts

    def unwound():
        found = [e for e in said(running, CLIENT, "rolled-back", cursor) if e["HAFTA_NODE"] == "open_pipe"]
        return len(found) >= rounds

    before = cpu_seconds(running)
    running.wait_until("rounds of bad data", unwound, timeout=400)
    used, passed = (after - then for after, then in zip(cpu_seconds(running), before, strict=True))
    assert used / passed < 0.25  # of one core, with PID 1's part and every start of Python
    attempts = [
        int(entry["HAFTA_ATTEMPT"])
        for entry in said(running, CLIENT, "rolled-back", cursor)
        if entry["HAFTA_NODE"] == "get_work" and "BadData" in entry["HAFTA_REASON"]
    ]
    assert max(attempts) == 5
    assert attempts[: attempts.index(5) + 1][-5:] == [1, 2, 3, 4, 5]
    assert not gave_up(running, SERVER, cursor)
    assert is_running(running, CLIENT)
    configure(running, SERVER, interval=0.02, bad_rate=0)
    running.run("systemctl", "restart", SERVER)
    wait_for_read(running, running.cursor())


def cpu_seconds(machine):
    """Return the CPU time of PID 1, of all that it has reaped, and of both services; and the uptime."""
    ticks = int(machine.sh("awk '{print $14+$15+$16+$17}' /proc/1/stat"))
    for process in filter(None, (pid(machine, unit) for unit in (SERVER, CLIENT))):
        ticks += int(machine.sh(f"awk '{{print $14+$15}}' /proc/{process}/stat 2>/dev/null || echo 0"))
    return ticks / 100, float(machine.sh("cut -d' ' -f1 /proc/uptime"))


@pytest.mark.parametrize("how", ["stop", "mask"])
def test_a_client_without_a_server_waits_in_good_health(running, how):
    client = pid(running, CLIENT)
    if how == "mask":
        running.run("systemctl", "mask", "--runtime", "--now", SERVER)
    else:
        running.run("systemctl", "stop", SERVER)
    wait_for_pings(running, CLIENT, 2 * WATCHDOG)
    assert pid(running, CLIENT) == client
    assert "waiting" in running.get(CLIENT, "StatusText")
    cursor = running.cursor()
    running.run("systemctl", "unmask", "--runtime", SERVER)
    running.run("systemctl", "start", SERVER)
    wait_for_read(running, cursor)
    assert pid(running, CLIENT) == client


def test_a_server_without_a_reader_waits_in_good_health(running):
    running.run("systemctl", "stop", CLIENT)
    running.run("systemctl", "restart", SERVER)
    wait_for_pings(running, SERVER, 2 * WATCHDOG)
    assert "waiting for a reader" in running.get(SERVER, "StatusText")
