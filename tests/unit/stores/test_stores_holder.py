"""Who has the claim, told to people."""

import errno
import fcntl
import os

import pytest

from hafta.stores import holder
from hafta.stores.protocol import Holder


def test_the_note_says_who_and_since_when():
    told = holder.read(holder.note())
    assert told.pid == os.getpid()
    assert told.unit == holder.unit()
    assert told.since > 1.5e9


def test_a_note_that_is_none_says_nothing():
    note = holder.note()
    for data in (b"", bytes(4096), note[:-4080], note[:20] + b"x" + note[21:]):
        assert holder.read(data) is None


def test_the_message_names_pid_unit_and_time():
    told = holder.tell(Holder(12345678, "a.service", 0.0))
    assert told.startswith("pid 12345678 (a.service), since 19")
    assert holder.tell(Holder(os.getpid(), "", 0.0)).startswith(f"this process itself, pid {os.getpid()}, since ")
    assert holder.tell(None) == "another process"


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
    def failing(*_arguments, **_options):
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr("builtins.open", failing)
    assert holder.unit() == ""


def test_a_dead_holder_is_told_from_a_live_one():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert holder.is_gone(Holder(pid, "", 0.0))
    assert not holder.is_gone(Holder(os.getpid(), "", 0.0))
    assert not holder.is_gone(None)


def test_a_holder_that_we_may_not_signal_is_alive(monkeypatch):
    def refusing(_pid, _signal):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "kill", refusing)
    assert not holder.is_gone(Holder(1, "", 0.0))


def test_a_file_system_without_locks_is_an_error_not_a_refusal(monkeypatch):
    def failing(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "fcntl", failing)
    with pytest.raises(OSError, match="No locks available"):
        holder.lock(0)
