"""The way to the pipe: what is followed, whom one trusts, and what the system refuses."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from hafta import exits, fifo
from hafta.errors import ServiceError

PROGRAM = """
import os, sys
from hafta import fifo
from hafta.errors import ServiceError
try:
    fifo.make(sys.argv[1], 0o600)
except ServiceError as error:
    print(error.status, error.message)
"""


def refused(use: Callable[[], object], status: int) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        use()
    assert (caught.value.status, bool(caught.value.hint)) == (status, True)
    return caught.value


def make(path: object) -> bool:
    return fifo.make(str(path), 0o600)


def place_in_hint(error: ServiceError) -> str:
    return error.hint.removeprefix("look at the owner and mode of ").partition(",")[0]


def test_a_path_may_be_relative_and_wind_about(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "a").mkdir()
    monkeypatch.chdir(home)
    assert make("a/.././a//pipe")
    assert os.listdir(home / "a") == ["pipe"]
    assert make("pipe")


@pytest.mark.parametrize("target", ["real", "{home}/real", "../home/real", "other"])
def test_a_link_to_a_directory_is_followed_where_nobody_else_could_have_made_it(home: Path, target: str):
    (home / "real").mkdir()
    (home / "other").symlink_to("real")
    (home / "link").symlink_to(target.format(home=home))
    assert make(home / "link" / "pipe")
    assert os.listdir(home / "real") == ["pipe"]


def test_a_link_in_a_shared_directory_or_of_a_stranger_is_refused(home: Path, shared: Path, give_away: Callable):
    (home / "real").mkdir()
    (home / "link").symlink_to("real")
    give_away(home / "link")
    (shared / "link").symlink_to(home)
    for link, target in ((shared / "link", home), (home / "link", "real")):
        error = refused(lambda link=link: make(link / "pipe"), exits.SYMLINK)
        assert error.message == f"{link} is a symbolic link to {target}"
    assert sorted(os.listdir(home)) == ["link", "real"]
    assert os.listdir(home / "real") == []


def test_a_pipe_of_a_stranger_in_a_shared_directory_is_refused(shared: Path, give_away: Callable):
    make(shared / "pipe")
    give_away(shared / "pipe")
    for use in (make, lambda path: fifo.open_reader(str(path)), lambda path: fifo.open_writer(str(path))):
        error = refused(lambda use=use: use(shared / "pipe"), exits.FOREIGN_OWNER)
        assert error.message.startswith(f"{shared}/pipe belongs to user ")
        assert "ours or root's" in error.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pipe away")
def test_a_pipe_of_a_stranger_is_good_only_in_a_directory_of_his_own(home: Path, give_away: Callable):
    make(home / "pipe")
    give_away(home / "pipe")
    look = lambda: fifo.open_reader(str(home / "pipe"))
    message = refused(look, exits.FOREIGN_OWNER).message
    assert message == f"{home}/pipe belongs to user 4711, who is not trusted there (we are user 0)"
    give_away(home)
    os.close(look())
    home.chmod(0o775)
    refused(look, exits.FOREIGN_OWNER)


NOT_THERE = [
    (fifo.open_reader, "{home}/pipe", exits.NOT_FOUND, "there is no pipe at {home}/pipe"),
    (make, "{home}/a/b/pipe", exits.NOT_FOUND, "there is no directory {home}/a"),
    (make, "{home}/{{at}}/pipe", exits.NOT_FOUND, "there is no directory {home}/{{at}}"),  # just letters
    (make, "{home}/file/pipe", exits.NOT_FOUND, "cannot make {home}/file/pipe: {home}/file is not a directory"),
    (make, "{home}/round/pipe", exits.SYMLINK, "cannot make {home}/round/pipe: too many symbolic links"),
    (make, "/proc/pipe", exits.NOT_FOUND, "cannot make /proc/pipe: that directory cannot have a pipe"),
]


@pytest.mark.parametrize(("use", "path", "status", "message"), NOT_THERE)
def test_what_is_missing_or_in_the_way_is_named(home: Path, use: Callable, path: str, status: int, message: str):
    (home / "file").touch()
    (home / "round").symlink_to("again")
    (home / "again").symlink_to("round")
    error = refused(lambda: use(path.format(home=home)), status)
    assert error.message == message.format(home=home)
    if path.startswith("/proc"):
        assert error.hint == "choose another path (--pipe or HAFTA_PIPE)", "nobody is sent to the server that says so"


def test_without_permission_the_error_says_where(home: Path, as_nobody: Callable):
    """What cannot be looked into is named rather than what may be in it."""
    (home / "closed").mkdir(mode=0)
    home.chmod(0o500)
    with as_nobody():  # root's temporary directories let no other user in, so both kinds of us are refused
        error = refused(lambda: make(home / "pipe"), exits.PERMISSION)
        assert error.message == f"cannot make {home}/pipe: no permission"
        assert f"{home}/".startswith(f"{place_in_hint(error)}/"), "a directory refuses, not what is not there"
        for use in (lambda: fifo.open_reader(f"{home}/closed/pipe"), lambda: make(home / "closed" / "a" / "pipe")):
            assert f"{home}/closed/".startswith(f"{place_in_hint(refused(use, exits.PERMISSION))}/")


def test_a_name_that_is_too_long_is_a_usage_error_and_shown_short(home: Path):
    path = f"{home}/{'x' * 300}"
    error = refused(lambda: make(path), exits.USAGE)
    assert error.message.endswith(f"... ({len(path)} characters): the name is too long")
    assert len(error.message) < 150


@pytest.mark.parametrize(
    ("number", "status", "cause"),
    [
        (errno.EPERM, exits.PERMISSION, "not permitted"),
        (errno.ENOSPC, exits.NO_SPACE, "no space or no inode is left"),
        (errno.EDQUOT, exits.NO_SPACE, "the quota is used up"),
        (errno.EROFS, exits.SYSTEM, "the file system is read-only"),
        (errno.EIO, exits.SYSTEM, "the disk reports an error"),
    ],
)
def test_each_refusal_of_the_system_has_its_own_message(home: Path, monkeypatch, number: int, status: int, cause: str):
    monkeypatch.setattr(os, "mkfifo", Mock(side_effect=OSError(number, os.strerror(number))))
    error = refused(lambda: make(home / "pipe"), status)
    assert error.message == f"cannot make {home}/pipe: {cause}"
    assert error.hint.endswith("choose another path (--pipe or HAFTA_PIPE)")


def in_own_mounts(script: str, *args: str) -> str:
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", script, "sh", sys.executable, PROGRAM]
    done = subprocess.run([*command, *args], capture_output=True, text=True, check=False, timeout=20)
    if "unshare:" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()}")
    assert done.stderr == ""
    return done.stdout


def test_a_file_system_without_inodes_and_one_that_is_read_only_say_so(home: Path):
    script = """
        mount -t tmpfs -o nr_inodes=1,mode=755 tmpfs "$3"; "$1" -c "$2" "$3/pipe"
        umount "$3"; mount -t tmpfs -o ro,mode=755 tmpfs "$3"; "$1" -c "$2" "$3/pipe"
    """
    told = in_own_mounts(script, str(home)).splitlines()
    assert told == [
        f"{exits.NO_SPACE} cannot make {home}/pipe: no space or no inode is left",
        f"{exits.SYSTEM} cannot make {home}/pipe: the file system is read-only",
    ]


def test_without_proc_the_error_names_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    make(home / "pipe")
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *more, **how: real(path.replace("/proc/", "/nowhere/"), *more, **how))
    error = refused(lambda: fifo.open_reader(f"{home}/pipe"), exits.SYSTEM)
    assert error.message == f"cannot read {home}/pipe: /proc is not mounted"


@pytest.fixture
def taken(home: Path):
    """A pipe with a writer."""
    path = str(home / "pipe")
    make(path)
    ends = fifo.open_reader(path), fifo.open_writer(path)
    yield path
    for end in ends:
        os.close(end)


HIDDEN = ("builtins.open", FileNotFoundError())  # the table of locks
NO_LOCKS = ("hafta.fifo.fcntl.flock", OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)))


@pytest.mark.parametrize(
    ("trouble", "status", "message"),
    [
        (None, exits.IN_USE, "{} is in use by process {}"),
        (HIDDEN, exits.IN_USE, "{} is in use by another writer"),
        (NO_LOCKS, exits.SYSTEM, "cannot write to {}: No locks available"),
    ],
)
def test_a_second_writer_is_told_who_the_first_is(taken: str, monkeypatch, trouble, status: int, message: str):
    with monkeypatch.context() as patch:
        if trouble:
            patch.setattr(trouble[0], Mock(side_effect=trouble[1]))
        error = refused(lambda: fifo.open_writer(taken), status)
    assert error.message == message.format(taken, os.getpid())
    assert error.hint.startswith("stop the other writer") == (status == exits.IN_USE)


def test_a_pipe_that_may_only_be_read_cannot_be_written(as_nobody: Callable):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        fifo.make(f"{place}/pipe", 0o444)
        with as_nobody():
            error = refused(lambda: fifo.open_writer(f"{place}/pipe"), exits.PERMISSION)
    assert error.message == f"cannot write to {place}/pipe: no permission"
