"""The reading end of the pipe: whole records, every byte of them compared.

A pipe delivers bytes. A record may come in pieces, and many may come at once: neither is a failure, and how the bytes
were cut never shows. End of file is one: the server has gone, and half a record that it left is of no use.
"""

from __future__ import annotations

import os

from hafta import fifo
from hafta.errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.drivers.run import Run

RECORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIZE = len(RECORD)
#: What is compared at once: whole records, just below the 64 KiB that a pipe holds.
BATCH = RECORD * 2520
#: Seconds that a server may take to come before we say that we wait for one, and between two looks for another pipe.
PATIENCE = 1.0


class ServerGone(Exception):
    """The server has closed the pipe, or another pipe has taken its place."""


class BadData(Exception):
    """A record is not the alphabet; `byte` is the first character that differs."""

    def __init__(self, record: bytes) -> None:
        self.byte = next(chr(got) for got, good in zip(record, RECORD, strict=True) if got != good)
        super().__init__(record.decode("ascii", "backslashreplace"))


class Reader:
    """One pipe, and what has come out of it but was not looked at yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None
        self._left: int | None = None  # kept until another is open
        self._unread = bytearray()

    def open(self, run: Run) -> None:
        """Open the pipe, unless it is open, and wait for a server. Raises ServiceError (hafta.fifo).

        As long as none comes, it is opened again every PATIENCE seconds: another pipe may have taken its place.
        """
        if self._fd is None:
            fd = self._open()
            run.status(f"waiting for a server on {self.path}")
            if run.wait(fd, PATIENCE):
                return
            run.say(f"Waiting for a server on {self.path}")
            while not run.wait(self._open_anew(), PATIENCE):
                pass

    def rest(self, run: Run, seconds: float, *, until_server: bool) -> None:
        """Wait this long; or, with `until_server`, only until another server has come and the pipe is open."""
        if not until_server:
            self.close()
            run.sleep(seconds)
            return
        self.leave()
        try:
            fd = self._open()
        except ServiceError:  # there is no pipe now
            run.sleep(seconds)
            return
        if not run.wait(fd, seconds):
            self.leave()

    def leave(self) -> None:
        """Forget the pipe, but close it only when it is open again: a server that has just come needs its reader."""
        if self._fd is not None:
            self._left, self._fd = self._fd, None
            self._unread.clear()

    def close(self) -> None:
        """Close the pipe, if it is open, and forget what was left of it."""
        self.leave()
        self._close_left()

    def _open_anew(self) -> int:
        self.leave()
        return self._open()

    def _open(self) -> int:
        self._fd = fifo.open_reader(self.path)
        self._close_left()
        return self._fd

    def _close_left(self) -> None:
        fd, self._left = self._left, None
        if fd is not None:
            os.close(fd)

    def receive(self, run: Run) -> None:
        """Wait until there is a record, or more.

        Raises ServerGone at the end of file, and when another pipe has taken the place of one that brings nothing: a
        server that hangs may keep it open for ever.
        """
        assert self._fd is not None
        while len(self._unread) < SIZE:
            piece = fifo.read(self._fd, len(BATCH))
            if piece is None:
                if not run.wait(self._fd, PATIENCE) and fifo.is_replaced(self._fd, self.path):
                    raise ServerGone(f"another pipe has taken the place of {self.path}")
            elif piece:
                self._unread += piece
            else:
                raise ServerGone(f"the server has closed {self.path}")

    def take(self, most: int) -> int:
        """Take at most `most` good records off the front; return how many. A bad one is taken, and raises BadData."""
        good = min(good_records(self._unread), most)
        if not good:
            record = bytes(self._unread[:SIZE])
            del self._unread[:SIZE]
            raise BadData(record)
        del self._unread[: good * SIZE]
        return good


def good_records(data: bytearray) -> int:
    """Return how many whole records at the front are the alphabet."""
    whole = min(len(data), len(BATCH)) // SIZE
    if data.startswith(BATCH[: whole * SIZE]):
        return whole
    low, high = 0, whole  # the first `low` records are good, the first `high` are not all
    while high - low > 1:
        middle = (low + high) // 2
        if data.startswith(BATCH[: middle * SIZE]):
            low = middle
        else:
            high = middle
    return low
