"""Both services warm, in their whole sandbox under systemd: what dies, hangs, stops and reloads."""

import json

import pytest
from services import (
    CLIENT,
    SERVER,
    configure,
    is_running,
    leftovers,
    pid,
    said,
    start,
    stop,
    wait_for_other_pid,
    wait_for_read,
    worker,
)

#: The units as shipped, but for a shorter deadline.
DROP_IN = "[Service]\nEnvironment=HAFTA_WARM=1 HAFTA_DEADLINE=0.5\n"


@pytest.fixture
def warm(installed):
    for unit in (SERVER, CLIENT):
        installed.write(f"/etc/systemd/system/{unit}.d/warm.conf", DROP_IN)
    installed.run("systemctl", "daemon-reload")
    start(installed)
    installed.wait_until("both have a standby", lambda: len(processes(installed)) == 6)
    yield installed
    stop(installed)
    assert leftovers(installed) == []


def processes(machine):
    """Return pid -> command line of all that is ours."""
    lines = machine.sh("ps -e -o pid=,args= | grep '[h]afta-' || :").splitlines()
    return {int(line.split()[0]): line.split(None, 1)[1].strip() for line in lines}


def begun(machine, unit, old):
    """Wait for a worker in the place of `old`: STATUS says which one it is."""
    return machine.wait_until("another worker", lambda: replaced(machine, unit, old))


def replaced(machine, unit, old):
    status = machine.get(unit, "StatusText")
    number = status.rpartition("[worker ")[2].partition(",")[0].rstrip("]")
    return int(number) if number.isdigit() and int(number) != old else 0


def current(machine, unit):
    return begun(machine, unit, 0)


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_status_names_parent_worker_and_standby(warm, unit):
    name = unit.removesuffix(".service")
    shown = warm.run("systemctl", "status", "--no-pager", "--full", unit).stdout
    assert f"Main PID: {pid(warm, unit)} ({name})" in shown
    assert f'{worker(warm, unit)} "{name}: worker' in shown
    assert all(f'"{name}: {role}' in shown for role in ("parent", "standby"))
    assert f"[worker {worker(warm, unit)}" in warm.get(unit, "StatusText")


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_a_killed_worker_is_replaced_and_systemd_does_not_notice(warm, unit):
    main, old, cursor = pid(warm, unit), current(warm, unit), warm.cursor()
    warm.run("kill", "-KILL", str(old))
    begun(warm, unit, old)
    warm.wait_for_entry(f"_SYSTEMD_UNIT={unit}", "HAFTA_EVENT=worker-replaced", since=cursor)
    (entry,) = said(warm, unit, "worker-replaced", cursor)
    assert entry["HAFTA_REASON"].startswith("was killed by SIGKILL")
    wait_for_read(warm, warm.cursor())
    assert (pid(warm, unit), warm.get(unit, "NRestarts")) == (main, "0")


def test_the_next_client_is_told_how_the_last_one_died(warm):
    old, cursor = current(warm, CLIENT), warm.cursor()
    warm.run("kill", "-SEGV", str(old))
    entry = warm.wait_for_entry(f"_SYSTEMD_UNIT={CLIENT}", "HAFTA_EVENT=resumed", since=cursor)
    assert entry["HAFTA_CAUSE"].startswith("was killed by SIGSEGV in ")


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_a_stopped_worker_is_a_hang_and_its_stacks_are_in_the_journal(warm, unit):
    old, cursor = current(warm, unit), warm.cursor()
    warm.run("kill", "-STOP", str(old))
    begun(warm, unit, old)
    entry = warm.wait_for_entry(f"_SYSTEMD_UNIT={unit}", "HAFTA_EVENT=worker-hung", since=cursor)
    assert (entry["HAFTA_WORKER"], "no progress for" in entry["HAFTA_REASON"]) == (str(old), True)
    lines = warm.journal(f"_SYSTEMD_UNIT={unit}", f"_PID={old}", since=cursor)
    assert any("most recent call first" in entry["MESSAGE"] for entry in lines)
    wait_for_read(warm, warm.cursor())


def test_a_report_knows_to_the_millisecond_how_long_no_worker_was_ready(warm):
    """The standby is stopped for a while, so the test knows from when to when no worker can have been ready."""
    since, cursor = warm.sh("date +@%s.%6N").strip(), warm.cursor()
    script = f"""
old={worker(warm, CLIENT)}
standby=$(ps -o pid=,args= --ppid {pid(warm, CLIENT)} | awk '/standby *$/ {{print $1}}')
kill -STOP $standby; date +%s.%6N; kill -KILL $old; sleep 0.5; date +%s.%6N; kill -CONT $standby
"""
    killed, continued = map(float, warm.sh(script).split())
    entry = warm.wait_for_entry(f"_SYSTEMD_UNIT={CLIENT}", "HAFTA_EVENT=worker-replaced", since=cursor)
    ready = int(entry["_SOURCE_REALTIME_TIMESTAMP"]) / 1e6
    found = json.loads(warm.run("hafta", "report", CLIENT, "--json", "--since", since).stdout)["units"][0]
    assert found["failures"]["causes"] == {"killed SIGKILL": 1}
    assert found["mttr"]["n"] == 1
    assert continued - killed - 0.05 < found["seconds"]["down"] <= ready - killed
    assert found["seconds"]["down"] == pytest.approx(int(entry["HAFTA_DOWN_USEC"]) / 1e6, abs=0.001)


def test_the_parent_s_own_death_costs_a_cold_restart_and_leaves_nobody(warm):
    main, before, cursor = pid(warm, CLIENT), set(processes(warm)), warm.cursor()
    warm.run("kill", "-KILL", str(main))
    wait_for_other_pid(warm, CLIENT, main)
    ours = {int(child) for child in warm.sh(f"cat /proc/{pid(warm, CLIENT)}/task/*/children").split()}
    assert not ours & before
    assert warm.get(CLIENT, "NRestarts") == "1"
    entry = warm.wait_for_entry(f"_SYSTEMD_UNIT={CLIENT}", "HAFTA_EVENT=resumed", since=cursor)
    assert entry["HAFTA_CAUSE"] == "was killed by SIGKILL"
    wait_for_read(warm, warm.cursor())


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_a_stop_is_clean(warm, unit):
    cursor = warm.cursor()
    warm.run("systemctl", "stop", unit)
    assert warm.show(unit, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert [entry["HAFTA_REASON"] for entry in said(warm, unit, "service-stopped", cursor)] == ["SIGTERM"]


def test_a_reload_keeps_the_main_process_and_replaces_the_worker(warm):
    main, old = pid(warm, CLIENT), current(warm, CLIENT)
    warm.run("systemctl", "reload", CLIENT)
    begun(warm, CLIENT, old)
    warm.wait_until("it runs", lambda: is_running(warm, CLIENT))
    assert pid(warm, CLIENT) == main
    wait_for_read(warm, warm.cursor())


def test_a_client_does_not_notice_that_a_server_with_a_held_pipe_is_replaced(warm):
    """Neither when its worker dies, nor when its parent does: then systemd has the pipe."""
    configure(warm, SERVER, interval=0.05, bad_rate=0, hold_pipe="yes")
    warm.run("systemctl", "restart", SERVER)
    wait_for_read(warm, warm.cursor())
    cursor, main = warm.cursor(), pid(warm, SERVER)
    for _ in range(5):
        old = current(warm, SERVER)
        warm.run("kill", "-KILL", str(old))
        begun(warm, SERVER, old)
    warm.run("kill", "-KILL", str(main))
    wait_for_other_pid(warm, SERVER, main)
    wait_for_read(warm, warm.cursor())
    assert said(warm, CLIENT, "rolled-back", cursor) == []
    warm.run("systemctl", "stop", SERVER)
    warm.wait_for_entry(f"_SYSTEMD_UNIT={CLIENT}", "HAFTA_EVENT=rolled-back", since=cursor)


@pytest.mark.parametrize("unit", [SERVER, CLIENT])
def test_cold_is_one_setting_away(warm, unit):
    """Also of a drop-in: its Environment= comes after that of the unit. A reload is a restart then."""
    configure(warm, unit, interval=0.05, bad_rate=0, warm="no")
    warm.sh(f"rm -r /etc/systemd/system/{unit}.d; systemctl daemon-reload; systemctl restart {unit}")
    wait_for_read(warm, warm.cursor())
    main = pid(warm, unit)
    assert worker(warm, unit) == main
    assert "worker" not in warm.get(unit, "StatusText")
    warm.run("systemctl", "reload", unit)
    wait_for_other_pid(warm, unit, main)
    wait_for_read(warm, warm.cursor())
    configure(warm, unit)


def test_many_kills_of_workers(warm):
    """More than the ladder has rungs: the parent ends, systemd starts all of it again, and in the end it reads."""
    for _ in range(13):
        warm.sh(f"kill -KILL {current(warm, SERVER)} || :")
    wait_for_read(warm, warm.cursor())
    wait_for_read(warm, warm.cursor())
