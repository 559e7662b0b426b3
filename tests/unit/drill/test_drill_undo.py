"""What undoes the changes of drills: whatever dies, is missing, or is in the middle of something."""

import errno
import os
import select
import signal
import socket
import subprocess
import threading

import pytest
from processes import PATIENCE, state_of, wait_until

from hafta.drill import managers, undo
from hafta.drill.changes import starved
from hafta.drill.holder import OK, UNDO, _serve
from hafta.drill.managers import Systemd
from hafta.drill.subject import subject_of
from hafta.drill.undo import Continue, Leaving, Quota, Start, decode, encode, undo_all
from hafta.process.stat import read_process


@pytest.fixture
def child():
    """A process that is stopped."""
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_of(process.pid) == "T", "it is stopped")
        yield process
        process.kill()


def key(process):
    return read_process(process.pid).key


@pytest.fixture
def holder():
    """The drill's end of a holder's socket, and what waits until the holder has ended."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thread = threading.Thread(target=lambda: (_serve(theirs, "a.service"), theirs.close()))
    thread.start()
    yield ours, lambda: thread.join(PATIENCE)
    ours.close()
    thread.join(PATIENCE)


def test_a_drill_that_dies_before_it_reads_an_answer_is_undone_all_the_same(child, holder, capfd):
    """What is not read when the socket closes makes the end of the file a reset of the connection."""
    ours, ended = holder
    ours.send(encode(Continue(*key(child))))
    assert select.select([ours], [], [], PATIENCE)[0]
    ours.close()
    ended()
    wait_until(lambda: state_of(child.pid) != "T", "it goes on")
    assert capfd.readouterr().err == ("hafta: the drill of a.service ended early: all that it had changed is undone\n")


@pytest.mark.parametrize("last", [UNDO, b"not what a drill says"])
def test_a_drill_that_dies_while_the_holder_answers_is_undone_and_that_is_said(child, holder, capfd, last):
    ours, ended = holder
    ours.send(encode(Continue(*key(child))))
    assert ours.recv(10) == OK
    ours.shutdown(socket.SHUT_RD)  # an answer is a broken pipe
    ours.send(last)
    ended()
    wait_until(lambda: state_of(child.pid) != "T", "it goes on")
    assert "ended early: all that it had changed is undone" in capfd.readouterr().err


def without_descriptors(monkeypatch, name, often):
    """Let a function fail so often as it does without descriptors."""
    real, left = getattr(undo, name, None) or getattr(os, name), [None] * often

    def short(*words):
        if left:
            left.pop()
            if name == "read_process":
                return None
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(*words)

    monkeypatch.setattr(undo if name == "read_process" else os, name, short)


@pytest.mark.parametrize("name", ["pidfd_open", "read_process"])
def test_a_process_is_not_taken_for_gone_where_there_are_no_descriptors_to_see_it(child, monkeypatch, name):
    one = Continue(*key(child))
    without_descriptors(monkeypatch, name, 3)
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE) if name == "pidfd_open" else "cannot be read"):
        one.undo()
    assert undo_all([one]) == []
    wait_until(lambda: state_of(child.pid) != "T", "it goes on")


def test_an_undo_that_goes_on_failing_is_a_line_with_what_to_do(child, monkeypatch):
    monkeypatch.setattr(undo, "SHORTAGE", -1.0)
    pid, started = key(child)
    without_descriptors(monkeypatch, "pidfd_open", 1000)
    (line,) = undo_all([Continue(pid, started)])
    assert line.endswith(f"by hand: kill -CONT {pid}")


def test_another_process_of_the_same_number_is_left_alone_and_one_that_is_gone_needs_nothing(child):
    pid, started = key(child)
    assert undo_all([Continue(pid, started + 1), Leaving(pid, started + 1)]) == []
    assert state_of(pid) == "T"
    child.kill()
    child.wait()
    assert undo_all([Continue(pid, started), Leaving(pid, started)]) == []


def test_a_process_that_was_told_to_end_has_ended_before_the_unit_is_looked_at(child, monkeypatch):
    one = Leaving(*key(child))
    monkeypatch.setattr(undo.time, "sleep", lambda _seconds: child.kill())
    assert undo_all([one]) == []
    assert state_of(child.pid) == "Z"


class Manager:
    """One unit in a state that stays, and how often it was started."""

    def __init__(self, state):
        self.subject, self.starts = subject_of({"Id": "a.service", "ActiveState": state, "MainPID": "0"}), []

    def find(self, _unit):
        return self.subject

    def start(self, unit):
        self.starts.append(unit)


@pytest.mark.parametrize("state", ["failed", "inactive", "activating"])
def test_a_unit_that_nobody_starts_or_not_in_time_is_started(monkeypatch, state):
    manager, clock = Manager(state), iter(range(0, 100_000, 5))
    monkeypatch.setattr(undo, "manager_of", lambda _text: manager)
    monkeypatch.setattr(undo.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(undo.time, "sleep", lambda _seconds: None)
    assert undo_all([Start("system", "a.service")]) == []
    assert manager.starts == ["a.service"]


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What systemctl of a user is asked for; it writes the drop-in of a quota as systemd does."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    drop_in, found = tmp_path / "systemd" / "user.control" / "a.service.d" / "50-CPUQuota.conf", []

    def run(*words, inherited=(), **_more):
        verb, *others = words[2:]
        found.append((verb, others[-1] if others else "", inherited))
        if verb == "set-property":
            drop_in.parent.mkdir(parents=True, exist_ok=True)
            drop_in.write_text(others[-1])
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(managers, "run", run)
    return found, drop_in


class Told:
    """A holder that remembers what it was told."""

    def __init__(self):
        self.undos = []

    def hold(self, one):
        self.undos.append(one)

    def fileno(self):
        return 77


@pytest.mark.parametrize(("quota", "value"), [("infinity", ""), ("500ms", "50%")])
def test_a_quota_is_that_of_before_and_no_drop_in_is_left(asked, quota, value):
    """systemctl has the drill's socket: the holder does not undo what systemctl is still about to change."""
    said, drop_in = asked
    one = subject_of({"Id": "a.service", "ActiveState": "active", "MainPID": "12", "CPUQuotaPerSecUSec": quota})
    holder = Told()
    starved(one, Systemd(of_user=True), holder)
    assert said == [("set-property", "CPUQuota=5%", (77,))]
    assert undo_all([decode(encode(each)) for each in holder.undos]) == []
    assert [each[:2] for each in said[1:]] == [("set-property", f"CPUQuota={value}"), ("daemon-reload", "")]
    assert not drop_in.parent.exists()


def test_a_quota_that_was_not_changed_yet_needs_no_undo_and_a_drop_in_of_before_stays(asked):
    said, drop_in = asked
    one = subject_of({"Id": "a.service", "ActiveState": "active", "MainPID": "12", "CPUQuotaPerSecUSec": "200ms"})
    assert undo_all([Quota.of(Systemd(of_user=True), one)]) == []
    assert said == []
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("CPUQuota=20%")
    holder = Told()
    starved(one, Systemd(of_user=True), holder)
    assert undo_all(holder.undos) == []
    assert drop_in.read_text() == "CPUQuota=20%"
