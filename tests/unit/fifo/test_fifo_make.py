"""Making a pipe, taking one over, and leaving everything else as it is."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from hafta import exits, fifo
from hafta.errors import ServiceError


def refused(use: Callable[[], object]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        use()
    return caught.value


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o622])
def test_the_mode_is_exact_whatever_the_umask_says(home: Path, mode: int):
    before = os.umask(0o077)
    try:
        assert fifo.make(str(home / "pipe"), mode)
        assert os.umask(0o077) == 0o077, "the umask is as it was"
    finally:
        os.umask(before)
    assert mode == mode_of(home / "pipe")
    assert stat.S_ISFIFO((home / "pipe").lstat().st_mode)


def test_a_pipe_of_ours_is_taken_over_and_gets_the_mode_that_was_asked_for_unless_a_server_writes_to_it(home: Path):
    """The second copy ends, and must not leave a pipe behind that the first one's clients may not open."""
    pipe = home / "pipe"
    fifo.make(str(pipe), 0o666)
    inode = pipe.lstat().st_ino
    assert not fifo.make(str(pipe), 0o640)
    assert (inode, 0o640) == (pipe.lstat().st_ino, mode_of(pipe))
    reader, writer = fifo.open_reader(str(pipe)), fifo.open_writer(str(pipe))
    assert not fifo.make(str(pipe), 0o600)
    assert mode_of(pipe) == 0o640
    os.close(writer)
    assert not fifo.make(str(pipe), 0o600)
    assert mode_of(pipe) == 0o600
    os.close(reader)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a pipe away")
def test_a_pipe_of_the_owner_of_the_directory_is_taken_over_and_keeps_its_mode(home: Path, give_away: Callable):
    pipe = home / "pipe"
    fifo.make(str(pipe), 0o666)
    give_away(home)
    give_away(pipe)
    assert not fifo.make(str(pipe), 0o600)
    assert mode_of(pipe) == 0o666


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


NOT_A_PIPE = ("{} is a %s, not a pipe", exits.NOT_A_PIPE, "it was left as it is")
LINK = ("{} is a symbolic link to %s", exits.SYMLINK, "give the real path")
INSTEAD = {
    "regular file": (lambda path: path.write_text("precious"), NOT_A_PIPE),
    "directory": (lambda path: path.mkdir(), NOT_A_PIPE),
    "socket": (make_socket, NOT_A_PIPE),
    "there": (lambda path: path.symlink_to("there"), LINK),
    "nowhere": (lambda path: path.symlink_to("nowhere"), LINK),
}


@pytest.mark.parametrize("kind", INSTEAD)
@pytest.mark.parametrize(
    "use", [lambda path: fifo.make(path, 0o600), fifo.open_writer, fifo.open_reader], ids=["make", "write", "read"]
)
def test_what_is_not_a_pipe_or_a_link_is_refused_and_left_alone(home: Path, kind: str, use: Callable):
    path, (put, (message, status, hint)) = home / "pipe", INSTEAD[kind]
    os.mkfifo(home / "there", 0o644)
    put(path)
    seen = lambda: [(at.lstat().st_mode, at.lstat().st_ino, at.lstat().st_mtime_ns) for at in (path, home / "there")]
    before = seen()
    error = refused(lambda: use(str(path)))
    assert (error.message, error.status, hint in error.hint) == (message.format(path) % kind, status, True)
    assert (seen(), sorted(os.listdir(home))) == (before, ["pipe", "there"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/dev/null", "is a character device, not a pipe"),
        *((at, "names a directory") for at in ("/tmp/", "/tmp/..", ".")),
    ],
)
def test_a_device_and_a_directory_are_refused_without_being_opened(path: str, words: str):
    error = refused(lambda: fifo.open_writer(path) if path == "/dev/null" else fifo.make(path, 0o600))
    assert (error.message, error.status) == (f"{path} {words}", exits.NOT_A_PIPE)


def test_a_pipe_that_is_swapped_for_a_link_after_the_check_is_still_the_one_opened(home, monkeypatch):
    path, kept = home / "pipe", home / "kept"
    fifo.make(str(path), 0o600)
    victim = home / "victim"
    victim.write_text("precious")
    plain = fifo._pipe

    def swap(*args: object) -> int:
        fd = plain(*args)
        path.rename(kept)
        path.symlink_to(victim)
        return fd

    monkeypatch.setattr(fifo, "_pipe", swap)
    reader = fifo.open_reader(str(path))
    assert kept.lstat().st_ino == os.fstat(reader).st_ino
    os.close(reader)


def test_the_default_place_is_of_the_service_then_of_the_session_then_of_the_user(monkeypatch: pytest.MonkeyPatch):
    assert fifo.default_path({"RUNTIME_DIRECTORY": "/run/a:/run/b", "XDG_RUNTIME_DIR": "/x"}) == "/run/a/pipe"
    assert fifo.default_path({"XDG_RUNTIME_DIR": "/run/user/7"}) == "/run/user/7/hafta/pipe"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert fifo.default_path({}) == "/run/hafta/pipe"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert fifo.default_path({}) == "/tmp/hafta-1000/pipe"


def test_the_default_directory_is_made_for_us_alone_and_kept_if_there(home: Path):
    place = home / "hafta"
    fifo.make_directory(str(place))
    assert mode_of(place) == 0o700
    (place / "pipe").touch()
    fifo.make_directory(str(place))
    assert os.listdir(place) == ["pipe"]


def test_a_default_directory_that_a_stranger_made_first_is_refused(shared: Path, give_away: Callable):
    place = shared / "hafta-0"
    place.mkdir()
    give_away(place)
    fifo.make_directory(str(place))
    error = refused(lambda: fifo.make(str(place / "pipe"), 0o600))
    assert (error.status, error.message.startswith(f"{place} belongs to user ")) == (exits.FOREIGN_OWNER, True)
    assert os.listdir(place) == []
