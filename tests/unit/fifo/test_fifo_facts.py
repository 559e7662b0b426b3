"""The facts about FIFOs that hafta/fifo.py numbers, each held against this kernel."""

import errno
import fcntl
import os
import select
from pathlib import Path

import pytest

from hafta import fifo


def events(fd: int, mask: int) -> int:
    poll = select.poll()
    poll.register(fd, mask)
    return sum(found for _, found in poll.poll(0))


@pytest.fixture
def pipe(home: Path) -> str:
    path = str(home / "pipe")
    os.mkfifo(path, 0o600)
    return path


def test_fact_4_a_writer_without_a_reader_is_refused_with_enxio(pipe: str):
    with pytest.raises(OSError, match="No such device") as caught:
        os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    assert caught.value.errno == errno.ENXIO
    assert fifo.open_writer(pipe) is None


def test_fact_5_a_fresh_reader_sees_nothing_until_a_writer_wrote_or_went(pipe: str):
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert (events(reader, select.POLLIN), os.read(reader, 9)) == (0, b"")
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    assert events(reader, select.POLLIN) == 0
    os.close(writer)
    assert events(reader, select.POLLIN) == select.POLLHUP
    again = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert events(again, select.POLLIN) == 0
    os.close(reader)
    os.close(again)


def test_fact_6_a_writer_whose_readers_left_gets_pollerr_and_epipe(pipe: str):
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    os.close(reader)
    assert events(writer, select.POLLOUT) & select.POLLERR
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(writer)


def test_fact_6_a_write_that_finds_too_little_room_writes_nothing(pipe: str):
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    written = 0
    while events(writer, select.POLLOUT):
        written += os.write(writer, b"x" * 4082)
    with pytest.raises(BlockingIOError):
        os.write(writer, b"x" * 4082)
    assert written % 4082 == 0
    assert written == len(os.read(reader, 1 << 20))
    os.close(writer)
    os.close(reader)


def test_fact_7_a_lock_on_the_pipe_dies_with_its_holder(pipe: str):
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    first, second = (os.open(pipe, os.O_WRONLY | os.O_NONBLOCK) for _ in range(2))
    fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(BlockingIOError):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(first)
    fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(second)
    os.close(reader)


def test_fact_5_who_finds_what_a_writer_has_left_is_told_by_reading_alone_that_it_has_gone(pipe: str):
    other = fifo.open_reader(pipe)
    writer = fifo.open_writer(pipe)
    os.write(writer, b"left")
    os.close(writer)
    late = fifo.open_reader(pipe)
    assert events(late, select.POLLIN) == select.POLLIN
    assert fifo.read(late, 26) == b"left"
    assert events(late, select.POLLIN) == 0
    assert fifo.read(late, 26) == b""
    os.close(late)
    os.close(other)


def test_reading_tells_a_writer_that_writes_nothing_from_none(pipe: str):
    reader = fifo.open_reader(pipe)
    assert fifo.read(reader, 26) == b"", "there is none yet"
    writer = fifo.open_writer(pipe)
    assert fifo.read(reader, 26) is None, "a writer is there and has written nothing"
    os.write(writer, b"A" * 30)
    assert fifo.read(reader, 26) == b"A" * 26
    os.close(writer)
    assert fifo.read(reader, 26) == b"A" * 4
    assert fifo.read(reader, 26) == b"", "the writer has gone"
    os.close(reader)


def test_what_a_writer_wrote_between_an_empty_read_and_the_poll_is_not_lost(pipe: str, monkeypatch: pytest.MonkeyPatch):
    reader = fifo.open_reader(pipe)
    plain = fifo._events

    def late(fd: int) -> int:
        monkeypatch.setattr(fifo, "_events", plain)
        writer = fifo.open_writer(pipe)
        os.write(writer, b"late")
        os.close(writer)
        return plain(fd)

    monkeypatch.setattr(fifo, "_events", late)
    assert fifo.read(reader, 26) == b"late"
    assert fifo.read(reader, 26) == b""
    os.close(reader)


def test_descriptors_do_not_block_and_are_closed_in_children(pipe: str):
    reader = fifo.open_reader(pipe)
    writer = fifo.open_writer(pipe)
    for fd in (reader, writer):
        assert not os.get_blocking(fd)
        assert not os.get_inheritable(fd)
        os.close(fd)
