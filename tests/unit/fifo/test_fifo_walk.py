"""The way to the pipe: what is followed, whom one trusts, and what the system refuses."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

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


def refused(use: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        use()
    return caught.value


def make(path: object) -> bool:
    return fifo.make(str(path), 0o600)


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


def test_a_link_in_a_shared_directory_is_refused_whosever_it_is(home: Path, shared: Path):
    (shared / "link").symlink_to(home)
    error = refused(lambda: make(shared / "link" / "pipe"))
    assert f"{shared}/link is a symbolic link to {home}" == error.message
    assert (error.status, os.listdir(home)) == (exits.SYMLINK, [])


def test_a_link_of_a_stranger_is_refused(home: Path, give_away: Callable):
    (home / "real").mkdir()
    (home / "link").symlink_to("real")
    give_away(home / "link")
    assert refused(lambda: make(home / "link" / "pipe")).status == exits.SYMLINK


def test_links_that_go_in_circles_end(home: Path):
    (home / "a").symlink_to("b")
    (home / "b").symlink_to("a")
    error = refused(lambda: make(home / "a" / "pipe"))
    assert f"cannot make {home}/a/pipe: too many symbolic links" == error.message
    assert error.status == exits.SYMLINK


def test_a_pipe_of_a_stranger_in_a_shared_directory_is_refused(shared: Path, give_away: Callable):
    make(shared / "pipe")
    give_away(shared / "pipe")
    for use in (make, lambda path: fifo.open_reader(str(path)), lambda path: fifo.open_writer(str(path))):
        error = refused(lambda use=use: use(shared / "pipe"))
        assert error.message.startswith(f"{shared}/pipe belongs to user ")
        assert (error.status, "ours or root's" in error.hint) == (exits.FOREIGN_OWNER, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pipe away")
def test_a_pipe_of_a_stranger_is_good_only_in_a_directory_of_his_own(home: Path, give_away: Callable):
    make(home / "pipe")
    give_away(home / "pipe")
    assert f"{home}/pipe belongs to user 4711, who is not trusted there (we are user 0)" == (
        refused(lambda: fifo.open_reader(str(home / "pipe"))).message
    )
    give_away(home)
    os.close(fifo.open_reader(str(home / "pipe")))
    home.chmod(0o775)
    assert refused(lambda: fifo.open_reader(str(home / "pipe"))).status == exits.FOREIGN_OWNER


def test_a_missing_pipe_a_missing_directory_and_a_file_in_its_place_are_told_apart(home: Path):
    (home / "file").touch()
    cases = [
        (lambda: fifo.open_reader(f"{home}/pipe"), f"there is no pipe at {home}/pipe"),
        (lambda: make(f"{home}/a/b/pipe"), f"there is no directory {home}/a"),
        (lambda: make(f"{home}/file/pipe"), f"cannot make {home}/file/pipe: {home}/file is not a directory"),
    ]
    for use, message in cases:
        error = refused(use)
        assert (message, exits.NOT_FOUND) == (error.message, error.status)
        assert error.hint


def test_without_permission_the_error_says_where(home: Path, as_nobody: Callable):
    home.chmod(0o500)
    with as_nobody():  # root's temporary directories let no other user in, so both kinds of us are refused
        error = refused(lambda: make(home / "pipe"))
    assert (error.message, error.status) == (f"cannot make {home}/pipe: no permission", exits.PERMISSION)
    place = error.hint.removeprefix("look at the owner and mode of ").partition(",")[0]
    assert f"{home}/".startswith(f"{place}/"), "a directory refuses, not what is not there"


def test_what_cannot_be_looked_into_is_named_rather_than_what_may_be_in_it(home: Path, as_nobody: Callable):
    (home / "closed").mkdir(mode=0)
    with as_nobody():
        for use in (lambda: fifo.open_reader(f"{home}/closed/pipe"), lambda: make(home / "closed" / "a" / "pipe")):
            error = refused(use)
            place = error.hint.removeprefix("look at the owner and mode of ").partition(",")[0]
            assert f"{home}/closed/".startswith(f"{place}/")


def test_where_there_can_be_no_pipe_nobody_is_sent_to_the_server_that_says_so():
    error = refused(lambda: make("/proc/pipe"))
    assert error.message == "cannot make /proc/pipe: there can be none in that directory"
    assert (error.hint, error.status) == ("choose another path (--pipe or HAFTA_PIPE)", exits.NOT_FOUND)


def test_a_name_that_is_too_long_is_a_usage_error_and_shown_short(home: Path):
    path = f"{home}/{'x' * 300}"
    error = refused(lambda: make(path))
    assert error.status == exits.USAGE
    assert error.message.endswith(f"... ({len(path)} characters): the name is too long")
    assert len(error.message) < 150


@pytest.mark.parametrize(
    ("number", "status", "cause"),
    [
        (errno.EPERM, exits.PERMISSION, "not permitted"),
        (errno.ENOSPC, exits.NO_SPACE, "no space or no inode is left"),
        (errno.EDQUOT, exits.NO_SPACE, "the quota is used up"),
        (errno.EROFS, exits.SYSTEM, "read-only file system"),
        (errno.EIO, exits.SYSTEM, "Input/output error"),
    ],
)
def test_each_refusal_of_the_system_has_its_own_message(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int, cause: str
):
    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkfifo", fail)
    error = refused(lambda: make(home / "pipe"))
    assert (f"cannot make {home}/pipe: {cause}", status) == (error.message, error.status)
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
        f"{exits.SYSTEM} cannot make {home}/pipe: read-only file system",
    ]


def test_without_proc_the_error_names_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    make(home / "pipe")
    plain = os.open

    def without_proc(path: str, *args: object, **kwargs: object) -> int:
        return plain(path.replace("/proc/", "/nowhere/"), *args, **kwargs)

    monkeypatch.setattr(os, "open", without_proc)
    error = refused(lambda: fifo.open_reader(f"{home}/pipe"))
    assert f"cannot read {home}/pipe: /proc is not mounted" == error.message


def test_braces_in_a_path_are_just_letters(home: Path):
    assert f"there is no directory {home}/{{at}}" == refused(lambda: make(home / "{at}" / "pipe")).message


class TestTwoWriters:
    @pytest.fixture
    def pipe(self, home: Path):
        path = str(home / "pipe")
        make(path)
        reader = fifo.open_reader(path)
        writer = fifo.open_writer(path)
        yield path
        os.close(writer)
        os.close(reader)

    def test_the_second_is_told_who_the_first_is(self, pipe: str):
        error = refused(lambda: fifo.open_writer(pipe))
        assert f"{pipe} is in use by process {os.getpid()}" == error.message
        assert (error.status, error.hint.startswith("stop the other writer")) == (exits.IN_USE, True)

    def test_where_locks_are_hidden_the_second_is_told_the_rest(self, pipe: str, monkeypatch: pytest.MonkeyPatch):
        def hidden(*_args: object, **_kwargs: object) -> None:
            raise FileNotFoundError

        monkeypatch.setattr("builtins.open", hidden)
        assert f"{pipe} is in use by another writer" == refused(lambda: fifo.open_writer(pipe)).message

    def test_a_pipe_that_cannot_be_locked_is_an_error_of_the_system(self, pipe: str, monkeypatch: pytest.MonkeyPatch):
        def no_locks(*_args: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fifo.fcntl, "flock", no_locks)
        error = refused(lambda: fifo.open_writer(pipe))
        assert (f"cannot write to {pipe}: No locks available", exits.SYSTEM) == (error.message, error.status)


def test_a_pipe_that_may_only_be_read_cannot_be_written(as_nobody: Callable):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        fifo.make(f"{place}/pipe", 0o444)
        with as_nobody():
            error = refused(lambda: fifo.open_writer(f"{place}/pipe"))
    assert (error.message, error.status) == (f"cannot write to {place}/pipe: no permission", exits.PERMISSION)
