"""Lines go out whole or not at all, and nobody waits for who reads them."""

import fcntl
import os
import select
import signal
import socket
import tty

import pytest

from hafta.journal import output
from hafta.journal.output import Output


def drain(fd, limit=1 << 20):
    os.set_blocking(fd, False)
    try:
        return os.read(fd, limit)
    except BlockingIOError:
        return b""


def fill(fd):
    """Fill what is behind the descriptor, through an open file of the test's own."""
    own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        for size in (4096, 1):
            while True:
                try:
                    os.write(own, b"x" * size)
                except BlockingIOError:
                    break
    finally:
        os.close(own)


def blocks(fd):
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK


REAL_OPEN = os.open


def refuse_proc(monkeypatch):
    """Let nothing below /proc be opened, as where it is not mounted."""

    def refuse(path, *rest):
        if str(path).startswith("/proc"):
            raise PermissionError(13, "no /proc here")
        return REAL_OPEN(path, *rest)

    monkeypatch.setattr(output.os, "open", refuse)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


@pytest.fixture
def terminal():
    master, slave = os.openpty()
    tty.setraw(slave)
    yield master, slave
    os.close(master)
    os.close(slave)


@pytest.fixture(params=["pipe", "terminal", "socket", "file"])
def target(request, pipe, terminal, tmp_path):
    """A descriptor to read from and one to write to."""
    if request.param in {"pipe", "terminal"}:
        yield pipe if request.param == "pipe" else terminal
    elif request.param == "socket":
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield ours.fileno(), theirs.fileno()
    else:
        with open(tmp_path / "log", "ab") as file, open(tmp_path / "log", "rb") as log:
            yield log.fileno(), file.fileno()


@pytest.mark.parametrize(("text", "data"), [("naïve", "naïve\n".encode()), ("\udce9", b"\\udce9\n")])
def test_a_line_arrives_with_its_newline_and_the_shared_open_file_goes_on_blocking(to, target, text, data):
    assert to(target[1]).write(text)
    assert drain(target[0]) == data
    assert blocks(target[1])


@pytest.fixture(params=["own open file", "only poll"])
def to(request, monkeypatch):
    """An Output by either of its two ways."""
    if request.param == "only poll":
        refuse_proc(monkeypatch)
    made = []

    def make(fd):
        made.append(Output(fd))
        return made[-1]

    yield make
    monkeypatch.undo()
    for one in made:
        one.close()


def test_a_full_pipe_is_told_at_once_and_works_again_when_read(to, pipe, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(output.os, "open", REAL_OPEN)
        fill(pipe[1])
    out = to(pipe[1])
    assert not out.write("lost")
    while drain(pipe[0]):
        pass
    assert out.write("found")
    assert drain(pipe[0]) == b"found\n"


def test_a_pipe_that_nobody_reads_is_told_even_where_sigpipe_would_kill(to, pipe):
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, pipe[0])
    os.close(null)
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        assert not to(pipe[1]).write("lost")
    finally:
        signal.signal(signal.SIGPIPE, before)


def test_a_closed_descriptor_is_told(to, pipe):
    os.close(pipe[1])
    assert not to(pipe[1]).write("lost")


def test_a_long_line_is_cut_so_that_a_pipe_takes_it_whole(to, pipe):
    assert to(pipe[1]).write("x" * 5000)
    data = drain(pipe[0])
    assert len(data) == select.PIPE_BUF
    assert data.endswith(b"xxx ...\n")


def test_a_line_that_a_terminal_took_in_part_is_ended_before_the_next(pipe, monkeypatch):
    out = Output(pipe[1])
    really = os.write
    with monkeypatch.context() as patch:
        patch.setattr(output.os, "write", lambda fd, data: really(fd, data[:3]))
        assert not out.write("torn")
    assert out.write("whole")
    assert out.write("next")
    assert drain(pipe[0]) == b"tor\nwhole\nnext\n"
    out.close()


def test_a_terminal_that_nobody_reads_is_told_and_the_torn_line_ends_before_the_next(terminal):
    master, slave = terminal
    out = Output(slave)
    written = 0
    while out.write("x" * 1000):
        written += 1
        assert written < 10_000
    data = drain(master)
    while not data.endswith(b"last\n"):
        out.write("last")
        data += drain(master)
    lines = data.decode().splitlines()
    assert lines.count("x" * 1000) == written
    assert set(lines) - {"", "last", "x" * 1000} <= {"x" * size for size in range(1000)}
    assert "last" in lines
    out.close()


def test_a_descriptor_that_leads_elsewhere_now_is_followed(to, pipe, tmp_path):
    """As a program does that turns itself into a daemon, or rotates its log."""
    fd = os.dup(pipe[1])
    out = to(fd)
    assert out.write("a")
    other = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(other, fd)
    os.close(other)
    assert out.write("b")
    os.close(fd)
    assert drain(pipe[0]) == b"a\n"
    assert (tmp_path / "log").read_bytes() == b"b\n"


def test_close_lets_go_and_the_next_line_opens_again(pipe):
    out = Output(pipe[1])
    assert out.write("a")
    before = len(os.listdir("/proc/self/fd"))
    out.close()
    out.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1
    assert out.write("b")
    out.close()
    assert drain(pipe[0]) == b"a\nb\n"
