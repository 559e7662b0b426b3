"""Under systemd, a cold and a warm service know how their last process died: from ExecStopPost=, or from the parent."""

import json

import pytest
from deaths import PROGRAM, UNIT

NAME = "feed.service"


@pytest.fixture(params=["no", "yes"], ids=["cold", "warm"])
def feed(installed, request):
    """The machine, with the service in its first wait."""
    lines = f"Environment=HAFTA_WARM={request.param} HAFTA_DEADLINE=30"
    command = "/usr/bin/python3 /usr/local/lib/feed.py"
    installed.write("/usr/local/lib/feed.py", PROGRAM)
    installed.write(f"/etc/systemd/system/{NAME}", f"[Service]\nExecStart={command}\n{UNIT}{lines}\n")
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "start", NAME)
    yield installed, request.param == "yes"
    installed.sh(f"systemctl stop {NAME}; systemctl reset-failed {NAME}; rm -r /var/lib/feed", check=False)


def waits(machine):
    """Return the process that waits in the node; empty: there is none."""
    return machine.sh("pid=$(cat /var/lib/feed/waits) && kill -0 $pid && echo $pid || :").strip()


def test_a_policy_decides_by_the_signal(feed):
    machine, warm = feed
    cursor = machine.cursor()
    pid = machine.wait_until("it waits", lambda: waits(machine))
    (found,) = json.loads(machine.run("hafta", "checkpoints", "--json", "--directory", "/var/lib/feed").stdout)
    assert (found["cause"]["why"], found["cause"]["node"]) == ("SIGKILL", "work" if warm else None)
    shown = machine.run("hafta", "checkpoints", "show", "--directory", "/var/lib/feed", "feed").stdout
    assert " was killed by SIGKILL" in shown
    machine.run("kill", "-SEGV", pid)
    entry = machine.wait_for_entry("SYSLOG_IDENTIFIER=feed", "HAFTA_EVENT=sequence-failed", since=cursor)
    assert "it was killed by SIGSEGV" in entry["HAFTA_REASON"]
    if not warm:
        machine.wait_until("it has failed", lambda: machine.get(NAME, "ActiveState") == "failed")
        assert machine.get(NAME, "NRestarts") == "2"
