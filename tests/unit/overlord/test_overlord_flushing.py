"""FlushPending=: what waits at a socket is dropped, at most so much at a time, and nothing waits."""

import os
import socket

import pytest

from hafta.overlord import flushing
from hafta.overlord.flushing import flush
from hafta.units.sockets import FIFO, Listen


def test_what_waits_in_a_pipe_is_dropped(tmp_path):
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(fd, b"x" * 5000)
    with pytest.raises(BlockingIOError):
        flush(fd, Listen(FIFO, socket.AF_UNIX, path))
    with pytest.raises(BlockingIOError):
        os.read(fd, 1)
    os.close(fd)


def test_datagrams_are_dropped():
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(5):
        sender.send(b"x")
    with pytest.raises(BlockingIOError):
        flush(receiver.fileno(), Listen(socket.SOCK_DGRAM, socket.AF_UNIX, "/x"))
    sender.close(), receiver.close()


@pytest.mark.parametrize("most", [1, 1024])
def test_connections_are_closed_no_more_than_the_bound(tmp_path, monkeypatch, most):
    monkeypatch.setattr(flushing, "MOST", most)
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client in clients:
            client.connect(path)
        flush(server.fileno(), Listen(socket.SOCK_STREAM, socket.AF_UNIX, path))
        left = 0
        server.setblocking(False)
        while True:
            try:
                server.accept()[0].close()
            except BlockingIOError:
                break
            left += 1
        assert left == max(0, 3 - most)
        for client in clients:
            client.close()
