"""Who has the claim, told to people."""

import errno
import fcntl
import os

import pytest
from stores_support import failing

from hafta.stores import holder
from hafta.stores.file import lock
from hafta.stores.protocol import Holder


def test_the_note_says_who_and_since_when_and_one_that_is_none_says_nothing():
    note = lock.note()
    told = lock.read_note(note)
    assert (told.pid, told.unit, told.since > 1.5e9) == (os.getpid(), holder.unit(), True)
    for data in (b"", bytes(4096), note[:-4080], note[:20] + b"x" + note[21:]):
        assert lock.read_note(data) is None


def test_the_message_names_pid_unit_and_time():
    told = holder.describe(Holder(12345678, "a.service", 0.0))
    assert told.startswith("pid 12345678 (a.service), since 19")
    assert holder.describe(Holder(os.getpid(), "", 0.0)).startswith(f"this process itself, pid {os.getpid()}, since ")
    assert holder.describe(None) == "another process"


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/hafta-client.service\n", "hafta-client.service"),
        ("9:name=systemd:/system.slice/a.service\n8:pids:/x.service\n0::/\n", "a.service"),
        ("0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope"),
        ("0::/system.slice/a.service/sub\n", "a.service"),
        ("8:pids:/system.slice/a.service\n0::/\n", ""),
        ("", ""),
        ("rubbish\n", ""),
    ],
)
def test_the_unit_is_that_of_the_control_group(groups, unit):
    assert holder.unit_of(groups) == unit


def test_without_a_control_group_there_is_no_unit(monkeypatch):
    monkeypatch.setattr("builtins.open", failing(errno.ENOENT))
    assert holder.unit() == ""


def test_a_dead_holder_is_told_from_a_live_one_that_we_may_perhaps_not_signal(monkeypatch):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert holder.is_gone(Holder(pid, "", 0.0))
    assert not holder.is_gone(Holder(os.getpid(), "", 0.0))
    assert not holder.is_gone(None)
    monkeypatch.setattr(os, "kill", failing(errno.EPERM))
    assert not holder.is_gone(Holder(1, "", 0.0))


def test_a_file_system_without_locks_is_an_error_not_a_refusal(monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", failing(errno.ENOLCK))
    with pytest.raises(OSError, match="No locks available"):
        lock.lock(0)
