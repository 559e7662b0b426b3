"""Lines to stderr, or to another descriptor that others share, without ever waiting for the reader.

Rules:

1. The flags of the descriptor are never changed: O_NONBLOCK belongs to the open file, which our parent and our siblings
   share. Instead, a terminal or a pipe is opened a second time through /proc with O_NONBLOCK. That open file is ours.
2. If that fails (no /proc, no permission, a socket), poll first. Linux calls a pipe writable when a page is free. A
   line is at most PIPE_BUF, so it fits, unless another process writes to the same pipe in that instant.
3. If poll reports a hang-up or an error, nothing is written: a program that has set SIGPIPE to its default stays alive.
4. A line that is written only in part counts as not taken, and the next line begins with a newline.
5. A file on a disk is simply written: no flag prevents waiting for the disk.
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
        if self._identity != (status.st_dev, status.st_ino):  # the first line, or the descriptor is another file now
            self._open(status)
        fd = self._fd if self._own is None else self._own
        return os.write(fd, data) if _writable(fd) else 0

    def _open(self, status: os.stat_result) -> None:
        self.close()
        self._identity = (status.st_dev, status.st_ino)
        try:
            self._own = open_again(self._fd, status.st_mode)
        except OSError:
            self._own = None  # rule 2


def open_again(fd: int, mode: int) -> int | None:
    """Open the pipe or terminal of a descriptor a second time, for writing without waiting (rule 1).

    None: the descriptor is neither. Raises OSError.
    """
    if not (stat.S_ISFIFO(mode) or os.isatty(fd)):
        return None
    return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _writable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, FREE)
    ready = poll.poll(0)
    return bool(ready and ready[0][1] & FREE and not ready[0][1] & BROKEN)
