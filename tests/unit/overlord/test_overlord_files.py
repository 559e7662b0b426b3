"""What services may do to an overlord with files and directories, and with their names: nothing."""

import grp
import os
import pwd
import shutil
import signal
import subprocess
from itertools import count
from types import SimpleNamespace

import pytest
from overlord_harness import PYTHON, ROOT, wait_until
from test_overlord_killed import keeper_of

from hafta.overlord import dirs, spawn, sweep, trash
from hafta.overlord.estate import Estate
from hafta.overlord.roll import HEADER, SLOT, Roll
from hafta.process.table import Session
from hafta.units.folders import Directories, Folders
from hafta.units.unit import Account

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def as_nobody(place):
    """Give the place to a user who is not root, with a copy of the library; return how to start as that user."""
    shutil.copytree(f"{ROOT}/hafta", place.file("lib/hafta"))
    if os.geteuid() != 0:
        return {}
    os.chown(place.path, 65534, 65534)
    return {"user": 65534, "group": 65534, "extra_groups": []}


DEEP = """
import os
os.chdir(os.environ["RUNTIME_DIRECTORY"])
for _ in range({depth}):
    os.mkdir("d")
    os.chdir("d")
"""


@pytest.mark.parametrize("how", ["ends", "killed"])
def test_a_directory_however_deep_is_removed(place, how):
    user = ("User=nobody",) if os.geteuid() == 0 else ()
    command = place.script(
        "deep.py", DEEP.format(depth=1500) + ("" if how == "ends" else "import time\ntime.sleep(99)")
    )
    place.service("x", command.replace(PYTHON, "/usr/bin/python3"), "RuntimeDirectory=deep", *user)
    overlord = place.start("x")
    if how == "ends":
        assert overlord.wait() == 0, overlord.text
    else:
        wait_until(lambda: deep_enough(f"{place.runtime}/deep"))
        overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


def deep_enough(path):
    return subprocess.run(
        ["find", path, "-mindepth", "500", "-print", "-quit"], capture_output=True, check=False
    ).stdout


class FakeLoop:
    """Keeps what is to be called back."""

    def __init__(self):
        self.due = []

    def set_timer(self, key, delay, callback):
        self.due.append((key, delay, callback))


def test_a_directory_with_many_files_is_out_of_the_way_at_once_and_removed_piece_by_piece(tmp_path, monkeypatch):
    clock = count()
    one_step_at_a_time = SimpleNamespace(monotonic=lambda: next(clock))
    monkeypatch.setattr(trash, "time", one_step_at_a_time)
    root, place = tmp_path / "root", tmp_path / "place"
    (root / "x" / "deep").mkdir(parents=True)
    for number in range(dirs.SLICE + 10):
        (root / "x" / str(number)).touch()
    loop = FakeLoop()
    trash.Trash(str(root), str(place), loop).remove("x")
    assert os.listdir(root) == []
    assert len(os.listdir(place / "1")) > dirs.SLICE
    turns = 0
    while loop.due:
        ((key, delay, callback),) = loop.due
        loop.due.clear()
        assert (key, delay) == (("trash", ""), 0.0)
        callback()
        turns += 1
    assert turns > dirs.SLICE
    assert os.listdir(place) == []


def test_a_directory_is_not_removed_by_way_of_a_link_that_a_service_has_made(tmp_path):
    """RuntimeDirectory=a/b/c, and the owner of a has put a link in the place of a/b."""
    (tmp_path / "victim" / "c").mkdir(parents=True)
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b").symlink_to(tmp_path / "victim")
    trash.Trash(str(tmp_path / "root"), str(tmp_path / "place"), FakeLoop()).remove("a/b/c")
    assert (tmp_path / "victim" / "c").is_dir()


def test_a_directory_that_its_owner_may_not_enter_is_removed(place):
    """As a user who is not root: root enters any."""
    options = as_nobody(place)
    place.service(
        "x", "/bin/sh -c 'mkdir -p $$RUNTIME_DIRECTORY/a/b && chmod 0 $$RUNTIME_DIRECTORY/a'", "RuntimeDirectory=x"
    )
    overlord = place.start("x", environ={"PYTHONPATH": place.file("lib"), "HOME": place.path}, **options)
    assert overlord.wait() == 0, overlord.text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("RuntimeDirectory=hafta-overlord", "RuntimeDirectory=hafta-overlord is the overlord's own"),
        ("RuntimeDirectory=hafta-overlord/lock", "RuntimeDirectory=hafta-overlord/lock is the overlord's own"),
        ("StateDirectory=hafta-overlord", "StateDirectory=hafta-overlord is the overlord's own"),
        ("RuntimeDirectory=" + "a/" * 1500 + "a", "is too long for a directory"),
        ("StateDirectory=" + "a" * 256, "is too long for a directory"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(place, lines, words):
    place.service("x", "/bin/true", lines)
    overlord = place.start("x")
    assert overlord.wait() == 2
    assert words in overlord.text
    assert "Traceback" not in overlord.text


def test_what_raises_in_a_start_fails_its_unit_and_no_other(place):
    place.script(
        "faulty.py",
        """
        import sys
        from hafta.overlord import spawn, main
        prepare = spawn.prepare
        def fail(unit, *rest):
            if unit.name == "bad.service":
                raise OverflowError("too much")
            return prepare(unit, *rest)
        spawn.prepare = fail
        sys.exit(main())
        """,
    )
    place.service("bad", "/bin/true", "Restart=no")
    place.service("good", "/bin/sleep 1000")
    options = {"module": "faulty", "environ": {"PYTHONPATH": f"{ROOT}:{place.path}"}}
    overlord = place.start("bad", "good", **options)
    overlord.wait_for("Unit bad.service failed: it could not be started: OverflowError: too much")
    overlord.wait_for("good.service is ready")


def test_what_is_no_file_is_no_drop_in_and_no_unit_beside_a_target(place):
    place.service("x", "/bin/sleep 1000", unit=())
    place.unit("t.target", "[Unit]\nWants=x.service\n")
    os.mkfifo(f"{place.units}/pipe.service")
    overlord = place.start("t.target", until="x.service is ready")
    assert overlord.stop() == 0
    os.mkdir(f"{place.units}/x.service.d")
    os.mkfifo(f"{place.units}/x.service.d/a.conf")
    overlord = place.start("x")
    assert overlord.wait() == 2
    assert "x.service.d/a.conf: not a regular file" in overlord.text
    os.unlink(f"{place.units}/x.service.d/a.conf")
    os.symlink("/dev/zero", f"{place.units}/x.service.d/a.conf")
    overlord = place.start("x")
    assert overlord.wait() == 2
    assert "x.service.d/a.conf: not a regular file" in overlord.text


def test_relative_paths_of_the_environment_are_ignored(place):
    """As the base directory specification asks, and as everywhere else in hafta."""
    options = as_nobody(place)
    place.service(
        "x", "/bin/sh -c 'echo $$RUNTIME_DIRECTORY $$STATE_DIRECTORY'", "RuntimeDirectory=x", "StateDirectory=x"
    )
    environ = {"PYTHONPATH": place.file("lib"), "HOME": place.path}
    environ |= {"XDG_RUNTIME_DIR": "rt", "XDG_STATE_HOME": "state", "XDG_CACHE_HOME": "c", "XDG_CONFIG_HOME": "../d"}
    overlord = place.start("x", places=(), environ=environ, **options)
    assert overlord.wait() == 0, overlord.text
    uid = options.get("user", os.geteuid())
    assert overlord.find(r"x +\| (.*)") == [f"/tmp/hafta-overlord-{uid}/x {place.path}/.local/state/hafta-overlord/x"]


SAYS = """
import os, socket, time
while True:
    time.sleep(0.02)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(os.environ["NOTIFY_SOCKET"])
            s.send(f"READY=1\\nSTATUS=directory {os.path.isdir(os.environ['RUNTIME_DIRECTORY'])}".encode())
    except OSError:
        pass
"""


def test_what_a_sweep_of_tmp_takes_is_made_again(place):
    overlord = place.up("x", place.script("says.py", SAYS), "Type=notify", "RuntimeDirectory=x")
    before = keeper_of(overlord.pid)
    shutil.rmtree(place.runtime)
    overlord.wait_for(f"files of {place.runtime}/hafta-overlord were removed: made them again")
    assert place.start("x").wait() == 25, "the lock is still held"
    overlord.send(signal.SIGUSR1)
    overlord.wait_for("x.service: active, .* directory True")
    assert keeper_of(overlord.pid) == before, "it has been entrusted with what is new"
    os.kill(overlord.pids("x.service")[0], signal.SIGKILL)
    overlord.send(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(place.runtime))


@pytest.mark.parametrize(
    ("path", "swept"),
    [("/run", False), ("/run/hafta-overlord", False), ("/running", True), ("/tmp/x", True)],
)
def test_what_is_below_run_is_not_swept(path, swept):
    assert sweep.is_swept(path) is swept


def test_a_session_whose_number_comes_again_is_on_the_roll_once(tmp_path):
    roll = Roll(str(tmp_path / "id.roll"))
    roll.add(Session(77, 100))
    slot = roll.reserve()
    os.pwrite(roll.fd, b"77 200".ljust(31) + b"\n", HEADER + slot * SLOT)  # as the child signs
    roll.signed(slot, 77)
    assert roll.sessions() == [Session(77, 200)]
    roll.strike(77)
    assert roll.sessions() == []
    roll.release()


@ROOT_ONLY
def test_a_runtime_directory_that_is_made_again_has_the_group_that_it_had(tmp_path):
    user, group = pwd.getpwnam("nobody"), grp.getgrnam("daemon")
    directories = Directories(runtime=Folders(("x",), mode=0o770))
    unit = SimpleNamespace(account=Account(user="nobody", group="daemon"), directories=directories)
    spawn.make_runtime_directories(unit, str(tmp_path))
    made = (tmp_path / "x").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (user.pw_uid, group.gr_gid, 0o770)


def test_the_keeper_has_the_files_of_an_overlord_look_used(tmp_path):
    (tmp_path / "r" / "c" / "id").mkdir(parents=True)
    notify = tmp_path / "r" / "c" / "id" / "notify"
    notify.touch()
    os.utime(notify, (0, 0))
    roll = Roll(str(tmp_path / "r" / "c" / "id.roll"))
    os.utime(roll.path, (0, 0))
    sweep.touch(Estate("id", str(tmp_path / "r"), str(tmp_path / "r" / "c" / "id"), ("gone",), (), (), roll))
    assert notify.stat().st_mtime > 0
    assert os.stat(roll.path).st_mtime > 0
    roll.release()
