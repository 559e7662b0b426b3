"""Which processes there are, whose they are, and what their notifications mean."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from overlord_harness import is_alive, wait_until

from hafta import exits
from hafta.errors import HaftaError
from hafta.overlord import family, notifications
from hafta.overlord.notifications import Hearing, Message, NotifySocket
from hafta.overlord.store import Stores
from hafta.overlord.table import Event, State
from hafta.process import prctl
from hafta.process import table as processes
from hafta.process.stat import Process, read_process, started, variable
from hafta.process.table import MARKER, Search
from hafta.units.unit import Unit

#: The overlord has one thread; what runs the tests may have more.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def test_the_age_of_a_process_tells_it_from_the_next_of_its_number():
    assert started(os.getpid()).isdigit()
    assert started(999_999_999) == ""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    wait_until(lambda: not is_alive(pid))
    assert started(pid) == "", "a zombie holds nothing"
    os.waitpid(pid, 0)


@pytest.fixture
def child():
    """A process of our own that sleeps, marked as an overlord's."""
    with subprocess.Popen(["/bin/sleep", "1000"], env={MARKER: "test-id/u.service"}, start_new_session=True) as process:
        wait_until(lambda: variable(process.pid, MARKER))
        yield process
        process.kill()


def test_processes_are_read_and_told_from_the_dead(child):
    found = read_process(child.pid)
    assert (found.parent, found.session, found.is_dead, found.is_of_kernel) == (os.getpid(), child.pid, False, False)
    assert not found.is_executing()
    assert child.pid in [process.pid for process in processes.all_processes()]
    assert read_process(999_999_999) is None
    child.kill()
    wait_until(lambda: read_process(child.pid).is_dead)


def test_children_are_found_also_by_a_kernel_that_does_not_list_them(child, monkeypatch):
    assert child.pid in processes.children(os.getpid())
    assert child.pid in processes.descendants(os.getppid())
    assert processes.children(999_999_999) == []
    shown = processes.bytes_of
    monkeypatch.setattr(processes, "bytes_of", lambda pid, name: None if "children" in name else shown(pid, name))
    monkeypatch.setattr(processes, "_has_lists", lambda: False)
    assert child.pid in processes.children(os.getpid())


def test_children_of_any_thread_are_found():
    program = "import os, threading, time\ndef f():\n if os.fork() == 0: time.sleep(1000)\n time.sleep(1000)\n"
    program += "threading.Thread(target=f).start()"
    with subprocess.Popen([sys.executable, "-SEc", program], start_new_session=True) as process:
        (forked,) = wait_until(lambda: processes.children(process.pid))
        os.kill(forked, signal.SIGKILL)
        process.kill()


def test_a_marked_process_belongs_to_its_overlord_with_what_descends_from_it_and_its_session():
    program = "import os, time\nif os.fork() == 0:\n os.execve('/bin/sleep', ['sleep', '1000'], {})\ntime.sleep(1000)"
    environ = {MARKER: "other-id/u.service"}
    with subprocess.Popen([sys.executable, "-SEc", program], env=environ, start_new_session=True) as process:
        bare = wait_until(lambda: processes.children(process.pid))
        wait_until(lambda: variable(bare[0], MARKER) is None)
        assert Search("other-id")() == sorted((process.pid, *bare))
        assert Search("other-")() == []
        ended = processes.end_all(Search("other-id"), 10.0)
    assert ended.complete
    assert ended.killed == {process.pid, *bare}


def test_a_process_in_the_middle_of_execve_is_waited_for(monkeypatch):
    answers = iter((True, True, False))
    monkeypatch.setattr(processes, "all_processes", lambda: [read_process(os.getpid())])
    monkeypatch.setattr(Process, "is_executing", lambda _: next(answers))
    assert Search("nobodys")() == []
    assert next(answers, None) is None


def test_a_process_that_hides_its_arguments_for_ever_is_waited_for_once(monkeypatch):
    monkeypatch.setattr(processes, "all_processes", lambda: [read_process(os.getpid())])
    monkeypatch.setattr(Process, "is_executing", lambda _: True)
    search = Search("nobodys")
    begun = time.monotonic()
    assert [search() for _ in range(50)] == [[]] * 50
    assert time.monotonic() - begun < 50 * processes.EXECUTING / 2


def test_what_may_not_be_killed_is_left_at_once_unless_there_is_time_for_ever(monkeypatch):
    def refuse(pid, signum):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    begun = time.monotonic()
    assert not processes.end_all(lambda: [1], 100.0).complete
    assert time.monotonic() - begun < 50
    answers = iter(([1], [1], [1, 2], [1], [], [], []))
    ended = processes.end_all(lambda: next(answers), float("inf"))
    assert (ended.killed, ended.complete) == (set(), True)


def test_what_survives_is_not_waited_for_beyond_ones_patience(monkeypatch):
    monkeypatch.setattr(processes, "kill", lambda *_: True)
    ended = processes.end_all(lambda: [1], 0.05)
    assert not ended.complete


def test_a_signal_to_one_who_is_gone_counts_as_sent():
    assert processes.kill(999_999_999, signal.SIGTERM)


class FakeRunner:
    def __init__(self, name, main=0, last=0, access="main", kind="notify", uid=0):
        self.name = name
        self.main = main
        self.last = last or main
        self.control = 0
        self.state = State.ACTIVE
        self.uid = uid
        self.unit = Unit(name, "f", notify_access=access)
        self.unit = self.unit.replace(policy=self.unit.policy.replace(type=kind))
        self.status = self.trouble = ""
        self.calls = []

    def feed(self):
        self.calls.append("feed")

    def set_watchdog(self, seconds):
        self.calls.append(("watchdog", seconds))

    def extend(self, seconds):
        self.calls.append(("extend", seconds))


class FakeRoll:
    def __init__(self):
        self.added = []
        self.struck = set()
        self.add = self.added.append
        self.strike = self.struck.add


def family_of(identity, *runners):
    """A family that takes also our present children for the overlord's."""
    found = family.Family(identity, {runner.name: runner for runner in runners}, lambda: 0, FakeRoll())
    found.listing.strangers = frozenset()
    return found


def test_a_process_belongs_to_the_unit_of_its_main_process_or_of_its_environment(child):
    by_main = family_of("id", FakeRunner("m.service", main=child.pid))
    by_main.listing.strangers = frozenset()
    assert by_main.owner(child.pid) == "m.service"
    assert child.pid in by_main.members("m.service")
    assert by_main.members("x.service") == []
    assert child.pid in by_main.everyone()
    by_marker = family_of("test-id", FakeRunner("u.service"))
    assert by_marker.owner(child.pid) == "u.service"
    by_session = family_of("test-id", FakeRunner("s.service"), FakeRunner("u.service"))
    by_session.born("s.service", child.pid)
    by_session._owners.pop(child.pid)
    assert by_session.owner(child.pid) == "s.service", "its session counts more than what it says of itself"
    assert family_of("other", FakeRunner("u.service")).owner(child.pid) == ""
    assert by_marker.owner(1) == by_marker.owner(999_999_999) == ""


def test_who_is_in_the_middle_of_execve_is_asked_again_later_and_nobody_waits_for_it(child, monkeypatch):
    shown, executing = family.bytes_of, [True]
    monkeypatch.setattr(Process, "is_executing", lambda _: executing[0])
    monkeypatch.setattr(family, "bytes_of", lambda *words: b"" if executing[0] else shown(*words))
    found = family_of("test-id", FakeRunner("u.service"))
    assert (found.owner(child.pid), found.is_open) == ("", True)
    executing[0] = False
    assert (found.owner(child.pid), found.is_open) == ("u.service", False)
    executing[0] = True
    hidden = family_of("test-id", FakeRunner("u.service"))
    assert (hidden.owner(child.pid), hidden.is_open) == ("", True)
    wait_until(lambda: not hidden.is_open)
    assert (hidden.owner(child.pid), hidden.is_open) == ("", False), "it is nobody's from now on"


@pytest.mark.parametrize(
    ("unit", "others", "users", "believed"),
    [
        (7, (), {7}, True),
        (7, (), {0}, True),
        (7, (), {7, 0}, True),
        (7, (), {8}, False),
        (0, (8,), {0}, True),
        (0, (8,), {33}, True),
        (0, (8,), {8}, False),
        (0, (8,), {8, 0}, False),
    ],
)
def test_what_an_orphan_says_of_itself_is_believed_only_of_the_right_user(
    child, monkeypatch, unit, others, users, believed
):
    monkeypatch.setattr(family, "users_of", lambda _: frozenset(users))
    runners = [FakeRunner("u.service", uid=unit), *(FakeRunner(f"{uid}.service", uid=uid) for uid in others)]
    assert family_of("test-id", *runners).owner(child.pid) == ("u.service" if believed else "")


def test_who_was_seen_below_a_unit_stays_its_own_when_it_is_an_orphan_in_a_session_of_its_own():
    prctl.call(prctl.PR_SET_CHILD_SUBREAPER, 0)  # which a guard in this process may have made it
    program = "import os, time\nif os.fork() == 0:\n os.setsid()\n os.execve('/bin/sleep', ['sleep', '1000'], {})\n"
    program += "time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-SEc", program], start_new_session=True) as process:
        (left,) = wait_until(lambda: processes.children(process.pid))
        wait_until(lambda: os.getsid(left) == left)
        found = family_of("id", FakeRunner("m.service", main=process.pid))
        found.born("m.service", process.pid)
        found.scan()
        assert [session.number for session in found._roll.added] == [left]
        found._runners["m.service"].main = 0
        found._owners[process.pid] = ""
        orphan = read_process(left)
        assert found._known(orphan) == "m.service"
        os.kill(left, signal.SIGKILL)
        process.kill()
    found.scan()
    assert found._roll.struck == {process.pid, left}


def test_strangers_and_the_keeper_are_nobodys(child):
    assert child.pid not in family.Family("id", {}, lambda: 0, FakeRoll()).own_children()
    found = family.Family("id", {}, lambda: child.pid, FakeRoll())
    assert child.pid not in found.listing.strangers, "its number may come again"
    assert child.pid not in found.own_children()


def test_a_child_of_a_unit_belongs_to_it_however_deep():
    program = "import subprocess\nsubprocess.run(['/bin/sleep', '1000'])"
    with subprocess.Popen([sys.executable, "-SEc", program], start_new_session=True) as process:
        (deep,) = wait_until(lambda: processes.children(process.pid))
        found = family_of("id", FakeRunner("m.service", main=process.pid))
        assert found.owner(deep) == "m.service"
        os.kill(deep, signal.SIGKILL)


class Ear:
    def __init__(self):
        self.events = []
        self.adopted = []
        self.notes = []
        self.errors = []
        self.hearing = Hearing(
            lambda runner, event: self.events.append(event),
            lambda runner, pid: self.adopted.append(pid),
            self.notes.append,
            lambda name, number: self.errors.append((name, number)),
            Stores(None, self.notes.append),
        )

    def take(self, text, runner, pid=7):
        fields = tuple(tuple(line.split("=", 1)) for line in text.split())
        self.hearing.take(Message(pid, fields), runner, [])


def test_notifications_become_events_and_facts():
    ear, runner = Ear(), FakeRunner("u", main=7)
    ear.take("READY=1 STATUS=up WATCHDOG=1 WATCHDOG=trigger WATCHDOG_USEC=2000000 EXTEND_TIMEOUT_USEC=500000", runner)
    ear.take("STOPPING=1 ERRNO=2 MAINPID=7 MAINPID=8 UNKNOWN=1 BARRIER=1", runner)
    assert ear.events == [Event.READY, Event.HUNG, Event.LEAVING]
    assert runner.calls == ["feed", ("watchdog", 2.0), ("extend", 0.5)]
    assert (runner.status, runner.trouble) == ("up", "No such file or directory")
    assert ear.adopted == [8]


def test_malformed_notifications_change_nothing():
    ear, runner = Ear(), FakeRunner("u", main=7)
    ear.take(
        "READY=0 STOPPING=x WATCHDOG=2 WATCHDOG_USEC=-1 EXTEND_TIMEOUT_USEC=x ERRNO=x ERRNO=123456 MAINPID=-1", runner
    )
    assert (ear.events, runner.calls, runner.trouble, ear.adopted) == ([], [], "", [])
    ear.take("READY=1", FakeRunner("s", main=7, kind="simple"))
    assert ear.events == []


def test_who_may_notify_is_notifyaccess_and_a_refusal_is_said_once():
    ear = Ear()
    for access, pid, taken in (("none", 7, 0), ("main", 7, 1), ("main", 8, 0), ("exec", 8, 0), ("all", 8, 1)):
        ear.events.clear()
        ear.take("READY=1", FakeRunner(f"{access}{pid}", main=7, access=access), pid)
        assert len(ear.events) == taken
    runner = FakeRunner("again", main=7)
    ear.take("READY=1", runner, 8)
    ear.take("READY=1", runner, 9)
    assert [note for note in ear.notes if "again" in note] == [
        "again: the overlord takes no notification from process 8 (NotifyAccess=)"
    ]


@pytest.mark.parametrize(
    ("unit", "sender", "taken"), [(33, 33, True), (33, 0, True), (33, 34, False), (0, 34, True), (0, 0, True)]
)
def test_who_may_notify_is_of_the_unit_s_user_or_root_unless_the_unit_is_root_s(unit, sender, taken):
    ear = Ear()
    ear.hearing.take(Message(7, (("READY", "1"),), sender), FakeRunner("u", main=7, uid=unit), [])
    assert ear.events == [Event.READY] * taken
    said = [f"u: the overlord takes no notification from process 7, which is of user {sender}"]
    assert ear.notes == said * (not taken)


def test_the_notify_socket_tells_the_sender_and_closes_what_is_passed(place):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver = NotifySocket(place.file("n"), 0o600)
    assert stat.S_IMODE(os.stat(place.file("n")).st_mode) == 0o600
    sender.connect(place.file("n"))
    reader, writer = os.pipe()
    socket.send_fds(sender, [b"A=1\nB=x=y\nrubbish\nA=2\xff"], [writer, 0, 1])
    os.close(writer)
    ((message, fds),) = receiver.receive()
    assert fds == []
    assert (message.pid, message.uid) == (os.getpid(), os.geteuid())
    assert message.get("A") == "2\ufffd"
    assert message.fields == (("A", "1"), ("B", "x=y"), ("A", "2\ufffd"))
    assert message.get("C") is None
    assert os.read(reader, 1) == b"", "the descriptor has been closed"
    assert list(receiver.receive()) == []
    os.close(reader)
    sender.close()
    receiver.close()


def test_a_flood_of_notifications_gives_others_their_turn(place):
    receiver = NotifySocket(place.file("n"), 0o600)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect(place.file("n"))
        for number in b"123":
            sender.send(b"N=%c" % number)
    assert [[message.get("N") for message, _ in receiver.receive(2)] for _ in range(2)] == [["1", "2"], ["3"]]
    receiver.close()


def test_a_path_that_is_too_long_for_a_socket_is_said():
    with pytest.raises(HaftaError, match="is longer than the 107 bytes of a socket's path") as caught:
        NotifySocket("/tmp/" + "x" * 200, 0o600)
    assert caught.value.status == exits.USAGE


def test_other_notes_of_the_kernel_tell_no_sender():
    assert notifications._read([(socket.SOL_SOCKET, 99, b"")]) == (0, -1, [])


def test_there_may_be_nobody_to_reap(monkeypatch):
    def nobody(*_):
        raise ChildProcessError

    found = family_of("id")
    monkeypatch.setattr(os, "waitid", nobody)
    assert list(found.reap()) == []


def test_the_dead_are_heard_before_they_are_reaped():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    wait_until(lambda: read_process(pid).is_dead)
    found = family_of("id", FakeRunner("m.service", main=pid))
    heard = []
    ended = list(found.reap(lambda: heard.append(found.owner(pid))))
    assert [one for one in ended if one[0] == pid] == [(pid, 3 << 8, "m.service")]  # others may have left some
    assert heard[0] == "m.service"
    assert found.owner(pid) == ""


def test_the_children_are_gone_through_only_when_they_have_changed(child):
    found = family_of("id")
    assert child.pid in found.own_children()
    before = found.own_children()
    found.refresh()
    assert found.own_children() is before, "nothing has come or gone: the work does not grow with the children"
    found.listing.forget()
    found.refresh()
    assert found.own_children() is not before, "one was reaped, and another may have its number"
