"""Directories, locks, processes: what is ours alone, what is nobody's business, and what is left to whom."""

import fcntl
import importlib
import os
import pkgutil
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from overlord_harness import is_alive, wait_until

from hafta import exits, overlord
from hafta.errors import HaftaError
from hafta.overlord import dirs, family, keeper, locks, notifications, prctl, processes, program, spawn
from hafta.overlord.dirs import Roots, make_below, make_private, remove_empty, remove_tree, roots
from hafta.overlord.environment import MARKER
from hafta.overlord.hear import Hearing
from hafta.overlord.notifications import Message, NotifySocket
from hafta.overlord.plan import Plan
from hafta.overlord.spawn import Launch
from hafta.overlord.table import Event
from hafta.overlord.unit import Credentials, Unit

#: The overlord has one thread; what runs the tests may have more.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def test_root_has_the_systems_roots_and_others_private_ones(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(dirs, "BOOTED", str(tmp_path))
    beside = Roots("/run/hafta-overlord", "/var/lib/hafta-overlord", "/var/cache", "/var/log", "/etc")
    assert roots({}) == beside, "systemd may run the same units in /run"
    monkeypatch.setattr(dirs, "BOOTED", str(tmp_path / "none"))
    assert roots({}) == Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
    assert roots({}, "/r", "s") == Roots("/r", os.path.abspath("s"), "/var/cache", "/var/log", "/etc")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    own = "/home/x/.local/state"
    assert roots({"HOME": "/home/x", "XDG_RUNTIME_DIR": str(tmp_path / "none")}) == Roots(
        "/tmp/hafta-overlord-12345",
        f"{own}/hafta-overlord",
        "/home/x/.cache",
        f"{own}/log",
        "/home/x/.config",
    )


def test_xdg_runtime_dir_is_used_if_it_is_ours(monkeypatch, tmp_path):
    uid = os.geteuid() or 12345
    os.chown(tmp_path, uid, -1)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert roots({"XDG_RUNTIME_DIR": str(tmp_path)}).runtime == str(tmp_path / "hafta-overlord")
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    assert roots({"XDG_RUNTIME_DIR": str(tmp_path)}).runtime == f"/tmp/hafta-overlord-{uid + 1}"


def test_a_private_directory_is_made_once_and_taken_over_if_it_is_ours(tmp_path):
    path = str(tmp_path / "p")
    make_private(path)
    make_private(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    make_private(str(tmp_path / "q"), 0o711)
    assert stat.S_IMODE(os.stat(tmp_path / "q").st_mode) == 0o711


def spoil_file(path):
    open(path, "w").close()


def spoil_mode(path):
    os.mkdir(path)
    os.chmod(path, 0o777)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_file, "is not a directory"),
        (lambda path: os.symlink("/tmp", path), "is a symbolic link"),
        (spoil_mode, r"can be written by others \(mode 0777\)"),
    ],
)
def test_a_directory_that_others_may_have_put_there_is_not_trusted(tmp_path, spoil, why):
    path = str(tmp_path / "p")
    spoil(path)
    with pytest.raises(HaftaError, match=f"{path} {why}, so it cannot hold the overlord's files") as caught:
        make_private(path)
    assert caught.value.status == exits.PERMISSION
    assert "--runtime-dir" in caught.value.hint
    assert "remove" not in caught.value.hint, "it may be everybody's"


def test_a_directory_of_somebody_else_is_not_trusted(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.stat("/").st_uid + 1)
    with pytest.raises(HaftaError, match="/usr belongs to user 0"):
        make_private("/usr")


def test_a_directory_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(HaftaError, match="cannot make /proc/nothing: ") as caught:
        make_private("/proc/nothing")
    assert caught.value.status == exits.SYSTEM
    with pytest.raises(HaftaError, match="No such file or directory"):
        make_private(str(tmp_path / "a" / "b"))


def test_directories_of_units_get_their_mode_and_follow_no_symbolic_link(tmp_path):
    root = str(tmp_path / "root")
    assert make_below(root, "a/b", 0o750, (os.getuid(), os.getgid())) == f"{root}/a/b"
    make_below(root, "a/b", 0o710)
    assert stat.S_IMODE(os.stat(f"{root}/a/b").st_mode) == 0o710
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    os.symlink(elsewhere, f"{root}/link")
    for name in ("link", "link/x"):
        with pytest.raises(NotADirectoryError):
            make_below(root, name, 0o777)
    assert os.listdir(elsewhere) == []


def test_a_tree_is_removed_without_following_a_symbolic_link(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "file").touch()
    os.mkfifo(tree / "fifo")
    os.symlink(kept, tree / "link")
    remove_tree(str(tree))
    os.symlink(kept, tree)
    remove_tree(str(tree))
    remove_tree(str(tree))
    assert os.listdir(tmp_path) == ["kept"]
    assert (kept / "file").exists()


def test_what_cannot_be_removed_stays_without_a_word(tmp_path):
    remove_tree("/proc/self")
    (tmp_path / "full" / "x").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    remove_empty(str(tmp_path / "full"), str(tmp_path / "none"), str(tmp_path / "empty"))
    assert os.listdir(tmp_path) == ["full"]
    assert not dirs._attempt(os.rmdir, "none", os.open(tmp_path, os.O_RDONLY | os.O_CLOEXEC))


def test_a_lock_excludes_and_its_file_goes_with_it(tmp_path):
    lock = locks.acquire(str(tmp_path), "a.service")
    with pytest.raises(HaftaError) as caught:
        locks.acquire(str(tmp_path), "a.service")
    assert caught.value.message == f"a.service is already run by the overlord of process {os.getpid()}"
    assert caught.value.status == exits.IN_USE
    lock.release()
    assert os.listdir(tmp_path) == []
    locks.acquire(str(tmp_path), "a.service").release()


def test_if_one_lock_is_held_none_is_taken(tmp_path):
    held = locks.acquire(str(tmp_path), "b")
    with pytest.raises(HaftaError, match="b is already run"):
        locks.acquire_all(str(tmp_path), ["b", "a", "c"])
    assert os.listdir(tmp_path) == ["b.lock"]
    held.release()


def test_a_lock_of_one_who_is_gone_is_waited_for_and_after_that_named(tmp_path):
    path = tmp_path / "a.lock"
    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("999999999 1")
        held.flush()
        with pytest.raises(HaftaError, match="its processes are still being ended") as caught:
            locks.acquire(str(tmp_path), "a", patience=0.05)
    assert caught.value.status == exits.IN_USE
    locks.acquire(str(tmp_path), "a").release()


def test_a_lock_whose_file_was_replaced_in_the_meantime_is_not_one(tmp_path, monkeypatch):
    answers = iter((False, True))
    monkeypatch.setattr(locks, "_is_current", lambda *_: next(answers))
    locks.acquire(str(tmp_path), "a").release()
    assert next(answers, None) is None
    monkeypatch.undo()
    fd = os.open(tmp_path, os.O_RDONLY)
    assert not locks._is_current(fd, str(tmp_path / "gone"))
    os.close(fd)


def test_a_lock_that_cannot_be_opened_says_why(tmp_path):
    os.symlink(tmp_path / "x", tmp_path / "a.lock")
    with pytest.raises(HaftaError, match=r"cannot open the lock .*: Too many levels of symbolic links"):
        locks.acquire(str(tmp_path), "a")


def test_a_lock_whose_file_somebody_removed_is_let_go_all_the_same(tmp_path):
    lock = locks.acquire(str(tmp_path), "a")
    os.unlink(lock.path)
    lock.release()


def test_the_age_of_a_process_tells_it_from_the_next_of_its_number():
    assert locks.started(os.getpid()).isdigit()
    assert locks.started(999_999_999) == ""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    wait_until(lambda: not is_alive(pid))
    assert locks.started(pid) == "", "a zombie holds nothing"
    os.waitpid(pid, 0)


@pytest.fixture
def child():
    """A process of our own that sleeps, marked as an overlord's."""
    with subprocess.Popen(["/bin/sleep", "1000"], env={MARKER: "test-id/u.service"}, start_new_session=True) as process:
        wait_until(lambda: processes.variable(process.pid, MARKER))
        yield process
        process.kill()


def test_processes_are_read_and_told_from_the_dead(child):
    found = processes.read_process(child.pid)
    assert (found.parent, found.session, found.is_dead, found.is_of_kernel) == (os.getpid(), child.pid, False, False)
    assert not found.is_executing()
    assert child.pid in [process.pid for process in processes.all_processes()]
    assert processes.read_process(999_999_999) is None
    child.kill()
    wait_until(lambda: processes.read_process(child.pid).is_dead)


def test_children_are_found_also_by_a_kernel_that_does_not_list_them(child, monkeypatch):
    assert child.pid in processes.children(os.getpid())
    assert child.pid in processes.descendants(os.getppid())
    assert processes.children(999_999_999) == []
    exists = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: not path.endswith("/children") and exists(path))
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
        wait_until(lambda: processes.variable(bare[0], MARKER) is None)
        assert processes.belonging("other-id") == sorted((process.pid, *bare))
        assert processes.belonging("other-") == []
        ended = processes.end_all(lambda: processes.belonging("other-id"), 10.0)
    assert ended.complete
    assert ended.killed == {process.pid, *bare}


def test_a_process_in_the_middle_of_execve_is_waited_for(monkeypatch):
    answers = iter((True, True, False))
    monkeypatch.setattr(processes, "all_processes", lambda: [processes.read_process(os.getpid())])
    monkeypatch.setattr(processes.Process, "is_executing", lambda _: next(answers))
    assert processes.belonging("nobodys") == []
    assert next(answers, None) is None


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
    def __init__(self, name, main=0, last=0, access="main", kind="notify"):
        self.name = name
        self.main = main
        self.last = last or main
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


def test_a_process_belongs_to_the_unit_of_its_main_process_or_of_its_environment(child):
    by_main = family.Family("id", {"m.service": FakeRunner("m.service", main=child.pid)}, lambda: 0)
    by_main.strangers = frozenset()
    assert by_main.owner(child.pid) == "m.service"
    assert child.pid in by_main.members("m.service")
    assert by_main.members("x.service") == []
    assert child.pid in by_main.everyone()
    by_marker = family.Family("test-id", {}, lambda: 0)
    assert by_marker.owner(child.pid) == "u.service"
    by_session = family.Family("other", {"s.service": FakeRunner("s.service", last=child.pid)}, lambda: 0)
    assert by_session.owner(child.pid) == "s.service"
    assert family.Family("other", {}, lambda: 0).owner(child.pid) == ""
    assert by_marker.owner(1) == by_marker.owner(999_999_999) == ""


def test_who_is_in_the_middle_of_execve_is_asked_again_whose_it_is(child, monkeypatch):
    tries = [1, 1, 1]
    shown = family.variable
    monkeypatch.setattr(processes.Process, "is_executing", lambda _: bool(tries and tries.pop()))
    monkeypatch.setattr(family, "variable", lambda *words: None if tries else shown(*words))
    assert family.Family("test-id", {}, lambda: 0).owner(child.pid) == "u.service"
    tries += [1] * 1000
    begun = time.monotonic()
    assert family.Family("test-id", {}, lambda: 0).owner(child.pid) == ""
    assert time.monotonic() - begun < 5


def test_strangers_and_the_keeper_are_nobodys(child):
    assert child.pid not in family.Family("id", {}, lambda: 0).own_children()
    found = family.Family("id", {}, lambda: child.pid)
    found.strangers = frozenset()
    assert child.pid not in found.own_children()


def test_a_child_of_a_unit_belongs_to_it_however_deep():
    program = "import subprocess\nsubprocess.run(['/bin/sleep', '1000'])"
    with subprocess.Popen([sys.executable, "-SEc", program], start_new_session=True) as process:
        (deep,) = wait_until(lambda: processes.children(process.pid))
        found = family.Family("id", {"m.service": FakeRunner("m.service", main=process.pid)}, lambda: 0)
        assert found.owner(deep) == "m.service"
        os.kill(deep, signal.SIGKILL)


class Ear:
    def __init__(self):
        self.events = []
        self.adopted = []
        self.notes = []
        self.hearing = Hearing(
            lambda runner, event: self.events.append(event),
            lambda runner, pid: self.adopted.append(pid),
            self.notes.append,
        )

    def take(self, text, runner, pid=7):
        fields = tuple(tuple(line.split("=", 1)) for line in text.split())
        self.hearing.take(Message(pid, fields), runner)


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


def test_the_notify_socket_tells_the_sender_and_closes_what_is_passed(place):
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver = NotifySocket(place.file("n"), 0o600)
    assert stat.S_IMODE(os.stat(place.file("n")).st_mode) == 0o600
    sender.connect(place.file("n"))
    reader, writer = os.pipe()
    socket.send_fds(sender, [b"A=1\nB=x=y\nrubbish\nA=2\xff"], [writer, 0, 1])
    os.close(writer)
    (message,) = receiver.receive()
    assert message.pid == os.getpid()
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
    assert [[message.get("N") for message in receiver.receive(2)] for _ in range(2)] == [["1", "2"], ["3"]]
    receiver.close()


def test_a_path_that_is_too_long_for_a_socket_is_said():
    with pytest.raises(HaftaError, match="is longer than the 107 bytes of a socket's path") as caught:
        NotifySocket("/tmp/" + "x" * 200, 0o600)
    assert caught.value.status == exits.USAGE


def launch(**changes):
    given = {
        "path": "/bin/sh",
        "argv": ["sh", "-c", "echo $0 $WATCHDOG_PID $X; umask", "name"],
        "environment": {"X": "1"},
        "directory": "/",
        "directory_optional": False,
        "umask": 0o027,
        "credentials": Credentials(),
        "limits": (),
        "ignore_sigpipe": True,
        "watched": False,
    }
    return Launch(**{**given, **changes})


def outcome(**changes):
    """Return what a child wrote, what it said of its exec, and its wait status."""
    child = spawn.spawn(launch(**changes))
    os.set_blocking(child.output, True)
    report = os.read(child.report, 100).decode()
    with open(child.output) as file:
        text = file.read()
    os.close(child.report)
    return child.pid, text, report, os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])


def test_a_child_is_what_the_unit_asks_for():
    _, text, report, status = outcome()
    assert (text, report, status) == ("name 1\n0027\n", "", 0)
    pid, text, _, _ = outcome(watched=True)
    assert text.startswith(f"name {pid} 1\n")


def test_a_child_says_how_far_it_came(tmp_path):
    missing = str(tmp_path / "missing")
    assert outcome(directory=missing)[2:] == ("200 2", 200)
    assert outcome(directory=missing, directory_optional=True)[3] == 0
    optional = {"directory": missing, "directory_optional": True}
    assert outcome(path=missing, ignore_sigpipe=False, **optional)[2:] == ("203 2", 203)
    assert outcome(argv=["a\0b"])[2:] == ("203 22", 203)
    assert outcome(limits=((7, 10, 5),))[2:] == ("205 22", 205)
    assert outcome(limits=((resource.RLIMIT_CPU, 10, 5),))[2:] == ("205 22", 205)


def test_a_limit_that_may_not_be_had_is_as_near_to_it_as_may_be():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = (resource.RLIMIT_NOFILE, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert outcome(argv=["sh", "-c", "ulimit -Sn; ulimit -Hn"], limits=(limit,))[1:] == (f"{most}\n{most}\n", "", 0)


@pytest.mark.parametrize(("ignore", "status"), [(True, 0), (False, -13)])
def test_sigpipe_is_ignored_unless_the_unit_says_no(ignore, status):
    assert outcome(argv=["sh", "-c", "kill -PIPE $$"], ignore_sigpipe=ignore)[3] == status


def test_a_child_that_finds_its_overlord_gone_does_not_start(monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert outcome()[1:] == ("", "", 203)


def test_no_more_processes_is_an_error_that_leaves_nothing_open(monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        spawn.spawn(launch())
    with pytest.raises(BlockingIOError):
        keeper.Keeper(keeper.Estate("x", (), (), ())).start()
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_a_keeper_that_has_died_just_now_is_dismissed_all_the_same():
    guard = keeper.Keeper(keeper.Estate("nobodys", (), (), ()))
    guard.start()
    os.kill(guard.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(guard.pid))
    guard.dismiss()
    assert guard.pid == 0
    guard.dismiss()


def test_the_claim_is_tried_again_when_another_overlord_removes_the_directories(monkeypatch, tmp_path):
    plan = Plan({"a.service": Unit("a.service", "f")}, Roots(*[str(tmp_path / name) for name in "rsclf"]), {})
    real, calls = locks.acquire_all, []

    def vanish(folder, units):
        calls.append(folder)
        if len(calls) == 1:
            remove_tree(str(tmp_path / "r"))
        return real(folder, units)

    monkeypatch.setattr(locks, "acquire_all", vanish)
    estate = program._claim(plan, 0o700)
    assert len(calls) == 2
    estate.clear()
    estate.release()
    assert os.listdir(tmp_path) == []


def test_a_claim_that_fails_again_and_again_gives_up(monkeypatch, tmp_path):
    plan = Plan({"a.service": Unit("a.service", "f")}, Roots(*[str(tmp_path / name) for name in "rsclf"]), {})

    def vanish(folder, units):
        remove_tree(str(tmp_path / "r"))
        return locks.acquire(folder, "a")

    monkeypatch.setattr(locks, "acquire_all", vanish)
    with pytest.raises(HaftaError, match="cannot open the lock"):
        program._claim(plan, 0o700)


def as_nobody(body):
    """Run in a process of a user who is not root; True if no assertion failed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            body()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_takes_its_user_and_groups_if_the_overlord_is_root(tmp_path):
    def refused():
        assert outcome(credentials=Credentials(0, -1))[2:] == ("217 1", 217)
        assert outcome(credentials=Credentials(-1, 0))[2:] == ("216 1", 216)

    assert as_nobody(refused)
    who = Credentials(os.geteuid(), os.getegid(), "daemon" if os.geteuid() == 0 else "")
    assert outcome(path=str(tmp_path / "missing"), credentials=who)[2:] == ("203 2", 203)
    assert outcome(argv=["sh", "-c", "id -u; id -g"], credentials=who)[1] == f"{os.geteuid()}\n{os.getegid()}\n"


def test_prctl_says_what_the_kernel_refuses():
    with pytest.raises(OSError, match="Invalid argument"):
        prctl._prctl(-1, 0)


def test_other_notes_of_the_kernel_tell_no_sender():
    assert notifications._sender([(socket.SOL_SOCKET, 99, b"")]) == 0


def test_there_may_be_nobody_to_reap(monkeypatch):
    def nobody(*_):
        raise ChildProcessError

    found = family.Family("id", {}, lambda: 0)
    monkeypatch.setattr(os, "waitid", nobody)
    assert list(found.reap()) == []


def test_the_dead_are_heard_before_they_are_reaped():
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    wait_until(lambda: processes.read_process(pid).is_dead)
    found = family.Family("id", {"m.service": FakeRunner("m.service", main=pid)}, lambda: 0)
    found.strangers = frozenset()
    heard = []
    assert list(found.reap(lambda: heard.append(found.owner(pid)))) == [(pid, 3 << 8)]
    assert heard == ["m.service"]
    assert found.owner(pid) == ""


def test_what_is_the_systems_is_not_removed_with_us(tmp_path):
    unit = Unit("a.service", "f", state_directory=("x",))
    places = Roots("/run", "/var/lib", "/c", "/l", "/e")
    assert program._removable(Plan({"a.service": unit}, places, {})) == []
    private = places.replace(runtime=str(tmp_path / "r"), state=str(tmp_path / "s"))
    found = program._removable(Plan({"a.service": unit}, private, {}))
    assert found == [str(tmp_path / "s" / "x"), str(tmp_path / "s"), str(tmp_path / "r")]
    deep = private.replace(state=str(tmp_path / "a" / "b" / "c"))
    found = program._removable(Plan({}, deep, {}))
    assert found == [str(tmp_path / name) for name in ("a/b/c", "a/b", "a", "r")]


def test_every_module_can_be_imported_by_itself():
    for module in pkgutil.iter_modules(overlord.__path__, "hafta.overlord."):
        assert importlib.import_module(module.name).__doc__
    assert importlib.import_module("hafta.cli.__main__").__doc__


def test_the_root_of_a_state_directory_lets_the_users_of_services_through_and_nobody_else_s(tmp_path):
    path = dirs.make_below(str(tmp_path / "state"), "client", 0o700)
    expected = 0o711 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == expected
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
