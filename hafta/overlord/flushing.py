"""Dropping what waits at a socket (FlushPending=). A service that shares the socket may change its flags meanwhile."""

from __future__ import annotations

import os
import select
import socket

from hafta.units.sockets import FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.units.sockets import Listen

MOST = 1024  # connections, datagrams or pieces at a time
SIZE = 65536  # bytes


def flush(fd: int, listen: Listen) -> None:
    """Drop what is there, at most MOST of it. Raises OSError."""
    if listen.kind == FIFO:
        _flush_fifo(fd)
        return
    made = socket.socket(fileno=fd)
    try:
        if listen.accepts:
            _flush_connections(made)
        else:
            _flush_datagrams(made)
    finally:
        made.detach()


def _flush_fifo(fd: int) -> None:
    own = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # flags of our own
    try:
        for _ in range(MOST):
            os.read(own, SIZE)  # BlockingIOError when there is no more
    finally:
        os.close(own)


def _flush_datagrams(made: socket.socket) -> None:
    for _ in range(MOST):
        made.recv(SIZE, socket.MSG_DONTWAIT)


def _flush_connections(made: socket.socket) -> None:
    waiting = select.poll()
    waiting.register(made, select.POLLIN)
    for _ in range(MOST):
        os.set_blocking(made.fileno(), False)
        if not waiting.poll(0):
            return
        made.accept()[0].close()
