"""The machines themselves: what the other tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import booted
import pytest
from booted import Machine, MachineError
from booted.runtime import JOURNAL_QUEUE, is_gone, owner_of, podman, remove_leftovers


def test_systemd_is_the_release_that_is_meant_and_nothing_failed_at_boot(machine):
    assert machine.run("systemctl", "--version").stdout.split()[1] == str(machine.suite.systemd)
    assert machine.run("python3", "-V").stdout.startswith(f"Python {machine.suite.python}.")
    assert machine.run("systemctl", "is-system-running", check=False).stdout == "running\n"
    assert machine.sh("cat /proc/sys/net/unix/max_dgram_qlen") == f"{JOURNAL_QUEUE}\n", "as on a real machine"


def test_a_failing_command_tells_status_and_words_and_waiting_what_did_not_come(machine):
    with pytest.raises(MachineError, match=r"false-words: status 3\nout\nerr"):
        machine.run("sh", "-c", "echo out; echo err >&2; exit 3", "false-words")
    with pytest.raises(MachineError, match=r"not within 0 s: the sea \(last answer: False\)"):
        machine.wait_until("the sea", lambda: False, timeout=0)


def test_files_and_directories_are_pushed(machine, tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("here")
    machine.push(tmp_path / "a", "/srv/a")
    assert machine.sh("cat /srv/a/b/c; stat -c ' %U' /srv/a/b/c") == "here root\n"


def test_the_journal_is_read_from_a_cursor_and_has_what_was_sent_when_it_is_read(machine):
    machine.sh("for number in $(seq 100); do echo $number; done | logger --tag probe")
    assert [entry["MESSAGE"] for entry in machine.journal("SYSLOG_IDENTIFIER=probe")] == list(map(str, range(1, 101)))
    cursor = machine.cursor()
    assert machine.journal("SYSLOG_IDENTIFIER=probe", since=cursor) == []
    machine.run("logger", "--tag", "probe", "after")
    assert machine.wait_for_entry("SYSLOG_IDENTIFIER=probe", since=cursor)["MESSAGE"] == "after"


def test_a_sandbox_is_real(machine):
    """A container without the right capabilities skips sandboxing silently; then no test here would mean anything."""
    script = "readlink /proc/self/ns/mnt; touch /usr/x 2>&1 || :; id -u"
    options = ("--property=ProtectSystem=strict", "--property=DynamicUser=yes")
    text = machine.run("systemd-run", "--quiet", "--wait", "--pipe", *options, "sh", "-c", script).stdout
    namespace, touched, user = text.splitlines()
    assert namespace != machine.run("readlink", "/proc/1/ns/mnt").stdout.strip()
    assert touched.endswith("Read-only file system")
    assert 61184 <= int(user) <= 65519


def test_a_reboot_keeps_the_disk_and_loses_run(machine):
    machine.sh("echo kept > /var/kept; echo lost > /run/lost")
    machine.reboot()
    assert machine.sh("cat /var/kept; ls /run/lost 2>/dev/null || echo gone") == "kept\ngone\n"


def test_a_machine_that_cannot_boot_leaves_nothing_behind(machine, monkeypatch):
    monkeypatch.setattr("booted.machine.CAPABILITIES", "NO_SUCH_CAPABILITY")
    broken = Machine(machine.suite)
    with pytest.raises(Exception, match="NO_SUCH_CAPABILITY"):
        broken.boot()
    assert podman("ps", "--all", "--quiet", "--filter", f"name={broken.name}").stdout == ""


def test_removing_that_takes_too_long_fails_nothing(machine, monkeypatch):
    def take_too_long(*_words, **_options):
        raise subprocess.TimeoutExpired("podman", 300)

    monkeypatch.setattr("booted.machine.podman", take_too_long)
    Machine(machine.suite).remove()


def test_the_owner_of_a_machine_is_known_to_run_or_to_be_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = owner_of(child.pid)
    assert not is_gone(owner)
    child.communicate(b"\n")
    assert is_gone(owner)
    assert not is_gone(owner_of(os.getpid()))
    assert not is_gone("another-boot.1.1")


BOOT_AND_WAIT = f"""
import sys
sys.path.insert(0, {str(Path(booted.__file__).parents[1])!r})
from booted import SUITES, Machine
with Machine(SUITES["bookworm"]) as machine:
    print(machine.name, flush=True)
    machine.wait_until("for ever", lambda: False, timeout=600)
"""


def names():
    return podman("ps", "--all", "--format", "{{.Names}}").stdout.split()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_run_that_ends_early_leaves_no_machine(signum):
    """Ctrl-C removes them at once; after a SIGKILL the next run does."""
    run = subprocess.Popen([sys.executable, "-c", BOOT_AND_WAIT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    name = run.stdout.readline().decode().strip()
    assert name in names()
    assert name not in remove_leftovers()
    run.send_signal(signum)
    run.communicate()
    assert (name in remove_leftovers()) == (signum == signal.SIGKILL)
    assert name not in names()
