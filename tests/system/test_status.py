"""`hafta status` of the packaged services: up, degraded, hung, held, failed, stopped; for root and for nobody."""

import json

from services import CLIENT, SERVER, configure, pid, wait_for_other_pid, wait_for_read, wait_for_running

BROKEN = "[Service]\nType=exec\nExecStart=/bin/sh -c 'exit 24'\n"


def answer(machine, *words, user="root"):
    """Return the exit status and what `hafta status --json` prints, as this user."""
    done = machine.run("runuser", "--user", user, "--", "hafta", "status", "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)


def besides_the_journal(seen):
    """Return what else could not be seen: nobody may not read the journal, and a slow machine has no time for it."""
    return [line for line in seen["missing"] if not line.startswith("journal: ")]


def look(machine, unit=CLIENT, user="root"):
    """Return what it says about one unit."""
    [found] = answer(machine, unit, user=user)[1]["services"]
    return found


def test_up_with_its_live_position_also_for_nobody(running):
    code, seen = answer(running)
    assert (code, besides_the_journal(seen)) == (0, [])
    units = {each["unit"]: each for each in seen["services"]}
    client = units[CLIENT]
    assert {unit: each["health"] for unit, each in units.items()} == {SERVER: "up", CLIENT: "up"}
    assert (client["main_pid"], client["overlord"]) == (pid(running, CLIENT), "systemd")
    assert client["invocation"] == running.show(CLIENT, "InvocationID")["InvocationID"]
    assert 0 < client["watchdog"]["left_seconds"] <= client["watchdog"]["period_seconds"] == 5.0
    [position] = client["sequences"]
    assert (position["sequence"], position["source"], position["live"]) == ("client", "record", True)
    code, seen = answer(running, CLIENT, user="nobody")  # named: nobody may not look into its directories
    assert "records in /var/lib/hafta-client: only root and the service's own user" in seen["missing"]
    assert {line.partition(" in ")[0] for line in besides_the_journal(seen)} == {"records"}
    [client] = seen["services"]
    assert (code, seen["complete"], client["health"], client["main_pid"]) == (0, False, "up", pid(running, CLIENT))
    assert [each["source"] for each in client["sequences"]] in ([], ["board"])


def test_degraded_while_a_node_fails_again_and_again(running):
    configure(running, SERVER, interval=0.5, bad_rate=1)
    running.run("systemctl", "restart", SERVER)
    running.wait_until("it is degraded", lambda: look(running)["health"] == "degraded")
    assert answer(running, CLIENT)[0] in {0, 1}  # it fails, goes back, and tries again
    configure(running, SERVER, interval=0.05, bad_rate=0)
    running.run("systemctl", "restart", SERVER)
    wait_for_read(running, running.cursor())
    running.wait_until("it is up again", lambda: look(running)["health"] == "up")


def test_hung_from_the_first_missing_ping_to_its_end(running):
    old = pid(running, CLIENT)
    running.run("systemctl", "kill", "--signal=STOP", CLIENT)
    running.wait_until("its watchdog runs out", lambda: look(running)["health"] in {"degraded", "hung"})
    wait_for_other_pid(running, CLIENT, old)
    wait_for_running(running, CLIENT)
    found = look(running)
    assert (found["health"], found["restarts"]["total"] >= 1) == ("up", True)


def test_held_back_after_crashes_in_a_row(running):
    def crash():
        found = look(running)
        if found["health"] != "held" and found["main_pid"]:
            running.run("systemctl", "kill", "--signal=KILL", CLIENT)
        return found if found["health"] == "held" else None

    found = running.wait_until("it is held back", crash)
    assert found["held"].startswith("held back ")


def test_failed_stopped_and_unknown(running):
    running.write("/run/systemd/system/broken.service", BROKEN)
    running.run("systemctl", "daemon-reload")
    running.run("systemctl", "start", "broken", check=False)
    running.wait_until("it has failed", lambda: look(running, "broken.service")["health"] == "failed")
    code, seen = answer(running, "broken")
    [found] = seen["services"]
    assert (code, found["why"]) == (1, ["exit 24 NO_SPACE: no space is left, for the pipe or for checkpoints"])
    running.run("systemctl", "stop", CLIENT)
    code, seen = answer(running, CLIENT, user="nobody")
    assert (code, [each["health"] for each in seen["services"]]) == (3, ["stopped"])
    done = running.run("hafta", "status", "nothing", check=False)
    assert (done.returncode, done.stderr) == (4, "hafta: there is no unit and no sequence nothing\n")
    running.run("systemctl", "reset-failed", "broken")
