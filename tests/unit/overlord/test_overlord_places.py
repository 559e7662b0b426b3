"""Directories, locks, processes: what is ours alone, what is nobody's business, and what is left to whom."""

import fcntl
import importlib
import os
import pkgutil
import resource
import signal
import stat
import time

import pytest
from processes import in_child

from hafta import exits, overlord, process, units
from hafta.errors import HaftaError
from hafta.overlord import dirs, keeper, locks, program, spawn
from hafta.overlord.child import Launch
from hafta.overlord.dirs import make_below, make_private, remove_empty, remove_tree
from hafta.overlord.plan import Plan
from hafta.overlord.roll import Roll
from hafta.process import prctl
from hafta.units import roots as units_roots
from hafta.units.roots import Roots, roots
from hafta.units.unit import Credentials, Unit

#: The overlord has one thread; what runs the tests may have more.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")


def test_root_has_the_systems_roots_and_others_private_ones(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(units_roots, "BOOTED", str(tmp_path))
    beside = Roots(*(f"{root}/hafta-overlord" for root in ("/run", "/var/lib", "/var/cache", "/var/log")), "/etc")
    assert roots({}) == beside, "systemd may run the same units in /run"
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert roots({}).runtime == "/run", "PID 1 is never beside a systemd"
    monkeypatch.undo()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(units_roots, "BOOTED", str(tmp_path / "none"))
    assert roots({}) == Roots("/run", "/var/lib", "/var/cache", "/var/log", "/etc")
    assert roots({}, "/r", "/s") == Roots("/r", "/s", "/s/hafta-overlord/cache", "/s/hafta-overlord/log", "/etc")
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


@pytest.fixture
def folder(tmp_path):
    """Return where an overlord keeps its locks: its second name is made from the directory two above."""
    path = tmp_path / "overlord" / "locks"
    path.mkdir(parents=True)
    return path


def test_a_lock_excludes_and_its_file_goes_with_it(folder):
    lock = locks.acquire(str(folder), "a.service")
    with pytest.raises(HaftaError) as caught:
        locks.acquire(str(folder), "a.service")
    assert caught.value.message == f"a.service is already run by the overlord of process {os.getpid()}"
    assert caught.value.status == exits.IN_USE
    lock.release()
    assert os.listdir(folder) == []
    locks.acquire(str(folder), "a.service").release()


def test_if_one_lock_is_held_none_is_taken(folder):
    held = locks.acquire(str(folder), "b")
    with pytest.raises(HaftaError, match="b is already run"):
        locks.acquire_all(str(folder), ["b", "a", "c"])
    assert os.listdir(folder) == ["b"]
    held.release()


def test_a_lock_of_one_who_is_gone_is_waited_for_and_after_that_named(folder):
    path = folder / "a"
    with open(path, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("999999999 1")
        held.flush()
        with pytest.raises(HaftaError, match="its processes are still being ended") as caught:
            locks.acquire(str(folder), "a", patience=0.05)
    assert caught.value.status == exits.IN_USE
    locks.acquire(str(folder), "a").release()


def test_a_lock_whose_file_was_replaced_in_the_meantime_is_not_one(folder, monkeypatch):
    answers = iter((False, True, True))  # of the first try, the second, and its release
    monkeypatch.setattr(locks, "is_current", lambda *_: next(answers))
    locks.acquire(str(folder), "a").release()
    assert next(answers, None) is None
    monkeypatch.undo()
    fd = os.open(folder, os.O_RDONLY)
    assert not locks.is_current(fd, str(folder / "gone"))
    os.close(fd)


def test_a_lock_that_cannot_be_opened_says_why(folder):
    os.symlink(folder / "x", folder / "a")
    with pytest.raises(HaftaError, match=r"cannot open the lock .*: Too many levels of symbolic links"):
        locks.acquire(str(folder), "a")


def test_a_lock_whose_file_was_swept_is_held_all_the_same(folder):
    lock = locks.acquire(str(folder), "a")
    os.unlink(lock.path)
    with pytest.raises(HaftaError, match=f"a is already run by the overlord of process {os.getpid()}"):
        locks.acquire(str(folder), "a")
    lock.release()
    locks.acquire(str(folder), "a").release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_another_user_cannot_hold_the_name_of_a_lock(tmp_path):
    path = str(tmp_path / "a")
    ready, ready_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(65534)
            name, _ = locks._take_name(path)
            os.write(ready_end, b"y" if name >= 0 else b"n")
            time.sleep(1000)
        finally:
            os._exit(1)  # it is not to go on as a second run of the tests
    assert os.read(ready, 1) == b"y"
    try:
        locks.acquire(str(tmp_path), "a").release()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(ready_end)


def launch(**changes):
    given = {
        "path": "/bin/sh",
        "argv": ["sh", "-c", "echo $0 $WATCHDOG_PID $X; umask", "name"],
        "environment": {"X": "1"},
        "directory": ("/", False),
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
    assert outcome(directory=(missing, False))[2:] == ("200 2", 200)
    assert outcome(directory=(missing, True))[3] == 0
    optional = {"directory": (missing, True)}
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


def test_no_more_processes_is_an_error_that_leaves_nothing_open(monkeypatch, tmp_path):
    roll = Roll(str(tmp_path / "id.roll"))

    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(BlockingIOError):
        spawn.spawn(launch())
    with pytest.raises(BlockingIOError):
        keeper.Keeper().start()
    roll.release()
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_the_claim_is_tried_again_when_another_overlord_removes_the_directories(monkeypatch, tmp_path):
    places = Roots(*[str(tmp_path / name) for name in "rsclf"])
    plan = Plan({"a.service": Unit("a.service", "f")}, places, {}, identity="id")
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
    places = Roots(*[str(tmp_path / name) for name in "rsclf"])
    plan = Plan({"a.service": Unit("a.service", "f")}, places, {}, identity="id")

    def vanish(folder, units):
        remove_tree(str(tmp_path / "r"))
        return locks.acquire(folder, "a")

    monkeypatch.setattr(locks, "acquire_all", vanish)
    with pytest.raises(HaftaError, match="cannot open the lock"):
        program._claim(plan, 0o700)


def as_nobody(body):
    """Run in a process of a user who is not root; True if no assertion failed."""

    def work():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        body()

    return in_child(work) == "None"


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
        prctl.call(-1, 0)


def test_every_module_can_be_imported_by_itself():
    for room in (overlord, process, units):
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            assert importlib.import_module(module.name).__doc__
    assert importlib.import_module("hafta.cli.__main__").__doc__


def test_the_root_of_a_state_directory_lets_the_users_of_services_through_and_nobody_else_s(tmp_path):
    path = dirs.make_below(str(tmp_path / "state"), "client", 0o700)
    expected = 0o711 if os.geteuid() == 0 else 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == expected
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
