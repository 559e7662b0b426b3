"""`hafta check` in a booted machine: what is installed is clean, and a bad unit is found with its line."""

import json

import pytest
from services import CLIENT, SERVER

#: Each line that is wrong, and the code that it gives.
BAD = {
    "LogLevelMax=notice": "HC021",
    "RestartSec=0": "HC009",
    "NotifyAccess=all": "HC002",
    "NoSuchWord=yes": "HC038",
    "TimeoutStopSec=soon": "HC037",
}
UNIT = "/etc/systemd/system/bad.service"
GOOD = ("hafta", "unit", "--name", "good", "--", "/bin/sleep", "infinity")


def answer(machine, *words, user="root"):
    """Return the exit status and what `hafta check --json` prints, as this user."""
    done = machine.run("runuser", "--user", user, "--", "hafta", "check", "--json", *words, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_services_are_clean_also_for_nobody_and_while_they_run(running):
    for user in ("root", "nobody"):
        code, seen = answer(running, "--strict", SERVER, CLIENT, "hafta-client@x", "hafta.target", user=user)
        assert (code, [one for one in seen["findings"] if one["severity"] != "note"]) == (0, [])
        assert (seen["complete"], seen["missing"], len(seen["checked"])) == (True, [], 4)


def test_what_hafta_unit_prints_is_clean(installed):
    installed.write("/run/systemd/system/good.service", installed.run(*GOOD).stdout)
    installed.run("systemctl", "daemon-reload")
    code, seen = answer(installed, "--strict", "good")
    assert (code, {one["code"] for one in seen["findings"]}, seen["complete"]) == (0, {"HC028"}, True)


@pytest.fixture
def bad(installed):
    """A unit with one mistake a line, which systemd has read."""
    lines = ["[Service]", "Type=notify", "ExecStart=/bin/true", "Restart=always", "User=daemon", "WatchdogSec=10",
             "TimeoutAbortSec=1", *BAD]  # fmt: skip
    installed.write(UNIT, "\n".join(lines) + "\n")
    installed.run("systemctl", "daemon-reload")
    yield lines
    installed.run("rm", "-f", UNIT)
    installed.run("systemctl", "daemon-reload")


def test_each_mistake_of_a_unit_is_found_with_its_line(installed, bad):
    code, seen = answer(installed, "bad")
    found = {(one["line"], one["code"]) for one in seen["findings"] if one["severity"] != "note"}
    expected = {(bad.index(line) + 1, code) for line, code in BAD.items()} | {(None, "HC030")}
    assert (code, found) == (1, expected)
    line = installed.run("hafta", "check", "bad", check=False).stdout.splitlines()[0]
    assert line.startswith(f"{UNIT}:")


def test_a_unit_that_was_changed_since_systemd_read_it_is_told(running):
    drop_in = f"/etc/systemd/system/{CLIENT}.d/nice.conf"
    running.write(drop_in, "[Service]\nNice=1\n")
    running.run("systemctl", "daemon-reload")
    running.write(drop_in, "[Service]\nNice=2\n")
    code, seen = answer(running, "--strict", CLIENT)
    running.run("rm", drop_in)
    running.run("systemctl", "daemon-reload")
    assert (code, [one["code"] for one in seen["findings"]]) == (1, ["HC035"])
    assert drop_in in seen["checked"][0]["files"]


def test_without_a_name_it_looks_at_units_records_and_the_machine(running):
    running.wait_until("there is a record", lambda: running.sh("ls /var/lib/hafta-client/*.checkpoint || true"))
    code, seen = answer(running)
    kinds = {each["kind"]: each["name"] for each in seen["checked"]}
    assert kinds.keys() == {"unit", "record", "machine"}
    assert {SERVER, CLIENT} <= {each["name"] for each in seen["checked"]}
    assert [one for one in seen["findings"] if one["kind"] == "record"] == []
    assert code == 0, seen["findings"]
    assert seen["missing"] == []


def test_nobody_is_told_what_he_may_not_see(running):
    _, seen = answer(running, user="nobody")
    assert seen["complete"] is False
    assert "records in /var/lib/hafta-client: only root and the service's own user" in seen["missing"]


def test_deep_reads_the_whole_journal(installed):
    code, seen = answer(installed, "--deep")
    assert (code, [one for one in seen["findings"] if one["code"] == "HC045"]) == (0, [])
