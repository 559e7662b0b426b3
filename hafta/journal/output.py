"""Lines to stderr, or another descriptor that others share, without ever waiting for who reads it.

Rules:

1. The descriptor's own flags are never touched: O_NONBLOCK belongs to the open file, which our parent and our siblings
   have too. A terminal or a pipe is opened once more through /proc with O_NONBLOCK: that is an open file of our own.
2. Where that fails (no /proc, no permission, a socket), poll first. Linux calls a pipe writable when a page is free and
   a line is at most PIPE_BUF, so it fits; only somebody who writes to the same pipe in that instant can take the room.
3. A hang-up or an error that poll sees is not written to: a program that has set SIGPIPE to its default stays alive.
4. A line that is taken in part counts as not taken, and the next line begins with a newline.
5. A file on a disk is simply written: no flag keeps that from waiting for the disk.
"""

from __future__ import annotations

import os
import select
import stat

FREE = select.POLLOUT
BROKEN = select.POLLERR | select.POLLHUP | select.POLLNVAL
CUT = b" ...\n"


class Output:
    """A descriptor that is written line by line."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._own: int | None = None  # our own open file of the same thing
        self._identity: tuple[int, int] | None = None  # of what we have opened
        self._torn = False

    def write(self, line: str) -> bool:
        """Write a line, cut to PIPE_BUF bytes; False if it was not taken whole."""
        data = line.encode(errors="backslashreplace") + b"\n"
        if self._torn:
            data = b"\n" + data
        if len(data) > select.PIPE_BUF:
            data = data[: select.PIPE_BUF - len(CUT)] + CUT
        try:
            written = self._write(data)
        except OSError:
            return False
        self._torn = 0 < written < len(data) or (self._torn and not written)
        return written == len(data)

    def close(self) -> None:
        """Close what was opened; the descriptor itself stays open."""
        own, self._own, self._identity = self._own, None, None
        if own is not None:
            os.close(own)

    def _write(self, data: bytes) -> int:
        status = os.fstat(self._fd)
        if self._identity != (status.st_dev, status.st_ino):  # the first line, or somebody has put another file there
            self._open(status)
        fd = self._fd if self._own is None else self._own
        return os.write(fd, data) if _writable(fd) else 0

    def _open(self, status: os.stat_result) -> None:
        self.close()
        self._identity = (status.st_dev, status.st_ino)
        if not (stat.S_ISFIFO(status.st_mode) or os.isatty(self._fd)):
            return
        try:
            self._own = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            self._own = None  # rule 2


def _writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, FREE)
    ready = poll.poll(0)
    return bool(ready and ready[0][1] & FREE and not ready[0][1] & BROKEN)
