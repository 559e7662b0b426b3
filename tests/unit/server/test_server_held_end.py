"""The writing end that others hold, too: what is stored, taken up, given back and dropped, and when."""

import fcntl
import os
import re
import socket
from types import SimpleNamespace

import pytest
from processes import fill

from hafta import fifo
from hafta.errors import ServiceError, UsageError
from hafta.server import program
from hafta.server.held import NAME, PAUSE, TRIES, HeldEnd, let_go
from hafta.server.source import GOOD
from hafta.systemd import descriptors
from hafta.testing import FakeRuntime


@pytest.fixture
def pipe(tmp_path):
    path = str(tmp_path / "pipe")
    fifo.make(path, 0o600)
    return path


@pytest.fixture
def reader(pipe):
    fd = fifo.open_reader(pipe)
    yield fd
    os.close(fd)


@pytest.fixture
def holder(tmp_path):
    """The socket of who holds descriptors."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.setblocking(False)
        yield one


def address(holder):
    return {"NOTIFY_SOCKET": holder.getsockname()}


def told(holder):
    """Return what the holder was sent: the words of each message, and how many descriptors came with it."""
    found = []
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(holder, 4096, 9)
        except BlockingIOError:
            return found
        for fd in fds:
            os.close(fd)
        found.append((*data.decode().split("\n"), len(fds)))


def locked(pipe):
    """Return a writing end that others have, too, with the lock that a server before has taken."""
    fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


def give(monkeypatch, *fds):
    """Have this process be given copies of these; return the copies."""
    copies = [os.dup(fd) for fd in fds]
    monkeypatch.setattr(descriptors, "_handed", [[("other", 0), *((NAME, fd) for fd in copies)]])
    return copies


def is_free(pipe):
    """Tell whether another server could have the pipe now."""
    try:
        fd = fifo.open_writer(pipe)
    except ServiceError:
        return False
    os.close(fd)
    return True


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


STORED, DROPPED = ("FDSTORE=1", f"FDNAME={NAME}", "FDPOLL=0", 1), ("FDSTOREREMOVE=1", f"FDNAME={NAME}", 0)


def test_it_is_stored_as_soon_as_there_is_a_reader_and_dropped_when_the_work_is_done(pipe, holder):
    end = HeldEnd(FakeRuntime(), pipe, address(holder))
    assert (end.open(), told(holder)) == (None, [])
    reader = fifo.open_reader(pipe)
    fd = end.open()
    assert (os.write(fd, b"x"), told(holder)) == (1, [STORED])
    assert (end.open(), told(holder)) == (fd, [])
    end.close(done=True)
    end.close(done=True)
    assert (told(holder), os.read(reader, 9), os.read(reader, 9)) == ([DROPPED], b"x", b"")
    os.close(reader)


def test_a_server_that_fails_leaves_it_held(pipe, reader, holder):
    end = HeldEnd(FakeRuntime(), pipe, address(holder))
    fd = end.open()
    end.close(done=False)
    assert (is_open(fd), told(holder)) == (False, [STORED])


def test_what_was_held_is_taken_up_and_not_stored_twice(pipe, reader, holder, monkeypatch):
    held_fd = locked(pipe)
    [copy] = give(monkeypatch, held_fd)
    end = HeldEnd(FakeRuntime(), pipe, address(holder))
    assert (end.open(), told(holder)) == (copy, [])
    os.close(held_fd)
    end.close(done=True)


def test_while_there_is_no_reader_it_stays_held(pipe, reader, holder, monkeypatch):
    fds = locked(pipe), os.dup(reader)
    [copy] = give(monkeypatch, fds[0])
    end = HeldEnd(FakeRuntime(), pipe, address(holder))
    monkeypatch.setattr(fifo, "has_reader", lambda _fd: False)
    assert (end.open(), is_open(copy), told(holder)) == (None, True, [])
    end.close(done=True)
    list(map(os.close, fds))


def test_the_end_of_another_pipe_is_dropped_and_the_new_one_is_stored(pipe, reader, holder, monkeypatch):
    held_fd = locked(pipe)
    [copy] = give(monkeypatch, held_fd)
    os.rename(pipe, f"{pipe}.old")
    fifo.make(pipe, 0o600)
    new = fifo.open_reader(pipe)
    end = HeldEnd(FakeRuntime(), pipe, address(holder))
    fd = end.open()
    assert told(holder) == [DROPPED, STORED]
    assert os.path.samestat(os.fstat(fd), os.stat(pipe))
    assert fd == copy or not is_open(copy)
    end.close(done=True)
    list(map(os.close, (held_fd, new)))


def test_without_anybody_who_could_hold_it_that_is_an_error_of_usage(pipe):
    with pytest.raises(UsageError, match=r"^--hold-pipe: there is nobody who could hold the pipe$"):
        HeldEnd(FakeRuntime(), pipe, {})


@pytest.mark.parametrize(("full", "pauses"), [(True, TRIES), (False, 0)])
def test_a_holder_that_is_busy_is_asked_again_and_one_that_is_gone_is_not(pipe, reader, holder, full, pauses):
    runtime, environ = FakeRuntime(), address(holder)
    if full:
        fill(environ["NOTIFY_SOCKET"])
    else:
        os.unlink(environ["NOTIFY_SOCKET"])
    end = HeldEnd(runtime, pipe, environ)
    with pytest.raises(ServiceError, match=f"^nobody holds {re.escape(pipe)}$") as caught:
        end.open()
    assert (caught.value.status, runtime.slept) == (111, [PAUSE] * pauses)
    end.close(done=False)


def test_what_is_held_is_let_go_and_the_pipe_is_free_at_once(pipe, reader, holder, monkeypatch):
    held_fd = locked(pipe)
    copies = give(monkeypatch, held_fd, held_fd)
    assert not is_free(pipe)
    let_go(FakeRuntime(), address(holder))
    assert (is_free(pipe), told(holder)) == (True, [DROPPED])
    assert not any(map(is_open, copies))
    os.close(held_fd)


def test_a_socket_unit_without_an_overlord_that_listens_is_let_go_without_waiting(pipe, reader, monkeypatch):
    held_fd, runtime = locked(pipe), FakeRuntime()
    give(monkeypatch, held_fd)
    let_go(runtime, {})
    assert (is_free(pipe), runtime.slept) == (True, [])
    os.close(held_fd)


def test_where_nothing_is_held_nobody_is_told(pipe, reader, holder, monkeypatch):
    give(monkeypatch)
    let_go(FakeRuntime(), address(holder))
    assert (is_free(pipe), told(holder)) == (True, [])


class WarmRuntime(FakeRuntime):
    """What the server knows of a service with a warm parent."""

    is_warm = True

    def __init__(self, holder):
        super().__init__()
        self.notifier = SimpleNamespace(address=holder.getsockname())


@pytest.mark.parametrize(
    ("hold", "is_held", "expected"),
    [(True, False, [STORED, DROPPED]), (True, True, [DROPPED]), (False, True, [DROPPED]), (False, False, [])],
)
def test_the_server_has_it_held_or_lets_it_go_and_serves_either_way(
    pipe, reader, holder, monkeypatch, hold, is_held, expected
):
    held_fd = locked(pipe) if is_held else None
    give(monkeypatch, *([] if held_fd is None else [held_fd]))
    values = SimpleNamespace(pipe=pipe, mode=0o600, bad_rate=0, seed=1, count=2, interval=0.0, hold_pipe=hold)
    program.serve(WarmRuntime(holder), values)
    assert (os.read(reader, 99), told(holder)) == (GOOD * 2, expected)
    if held_fd is not None:
        os.close(held_fd)
