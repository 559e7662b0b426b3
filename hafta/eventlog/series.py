"""Writing: a row of numbered files, each line of which is one write(2).

Invariant: *what SIGKILL can take of what was written is the end of the line that was being written.*

1. A line is written at once, with O_APPEND: what another has appended is not overwritten. What was written in part, by
   us or by an overlord that was killed, ends where it ends: the next line begins with a newline. The reader knows it
   by that it cannot be read.
2. A file is never renamed. A new one, with the next number, begins when one has SIZE bytes or is AGE old, and then the
   oldest goes, so that KEPT are left. Its first line, the head, says when it began.
3. What cannot be written (a full disk) is dropped, and counted. Nothing is kept in memory, and nothing waits.
4. A file that is left to the next one is handed to the kernel to be written out; only the last one is waited for
   (fsync), when the overlord ends. So a power cut takes what the kernel had not written, about 30 s.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from hafta.eventlog.format import OWN, REALTIME, TRANSPORT, VERSION, decode, encode, file_name, number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 8 * 1024 * 1024  # bytes
AGE = 86_400_000_000  # microseconds by the wall clock
KEPT = 16  # files
RETRY = 1_000_000  # microseconds until a new file is tried again
HEAD_MAX = 4096  # bytes
_NEW = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Series:
    """A row of files in a directory. `stamp` returns the fields that date an entry: both clocks, and the boot."""

    def __init__(self, folder: int, row: str, stamp: Callable[[], dict[str, str]]) -> None:
        self._folder = folder
        self._row = row
        self._stamp = stamp
        self._fd = -1
        self._size = 0
        self._begun = 0  # when the file began
        self._torn = False
        self._retry = 0
        #: Why the last line could not be written; None: it was.
        self.error: OSError | None = None

    def write(self, line: bytes, wall: int) -> bool:
        """Write a line; False if it was dropped. `wall`: the time, in microseconds since 1970."""
        try:
            if self._fd < 0 or self._is_over(wall):
                self._turn(wall)
            self._append(line)
        except OSError as error:
            self.error = error
            return False
        self.error = None
        return True

    def close(self) -> None:
        """Have all on the disk, and let go."""
        if self._fd >= 0:
            with suppress(OSError):
                os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _is_over(self, wall: int) -> bool:
        return self._size >= SIZE or not self._begun <= wall < self._begun + AGE

    def _append(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._fd, data)
        except OSError:
            self._torn = self._torn or self._is_torn()
            raise
        self._size += written
        self._torn = written < len(data) and (written > 0 or self._torn)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_torn(self) -> bool:
        """Tell whether the file ends within a line."""
        size = os.fstat(self._fd).st_size
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def _turn(self, wall: int) -> None:
        """Go on in the next file, or first in the newest one that there is. Raises OSError."""
        if self._retry - RETRY <= wall < self._retry:
            if self._fd < 0:
                raise self.error or OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return
        self._retry = wall + RETRY
        numbers = sorted(self._numbers())
        if self._fd < 0 and numbers and self._resume(numbers[-1], wall):
            return
        number = numbers[-1] + 1 if numbers else 1
        try:
            fd = os.open(file_name(self._row, number), _NEW | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._folder)
        except OSError:
            if self._fd < 0:
                raise
            return  # the old one is better than none
        self._retry = 0
        self._leave()
        self._fd, self._size, self._torn, self._begun = fd, 0, False, wall
        for old in [each for each in numbers if each <= number - KEPT]:
            with suppress(OSError):
                os.unlink(file_name(self._row, old), dir_fd=self._folder)
        self._append(encode({**self._stamp(), **self._head(number)}))

    def _leave(self) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)  # rule 4: it begins to be written out
            os.close(self._fd)

    def _numbers(self) -> list[int]:
        return [number for name in os.listdir(self._folder) if (number := number_of(self._row, name)) is not None]

    def _resume(self, number: int, wall: int) -> bool:
        """Go on in a file that is there; False if it is full, too old or not one of ours. Raises OSError."""
        fd = os.open(file_name(self._row, number), _NEW, dir_fd=self._folder)
        size = os.fstat(fd).st_size
        head = decode(os.pread(fd, HEAD_MAX, 0).partition(b"\n")[0])
        begun = int(head[REALTIME]) if head else 0
        if size >= SIZE or not begun <= wall < begun + AGE:
            os.close(fd)
            return False
        self._fd, self._size, self._begun = fd, size, begun
        self._torn, self._retry = self._is_torn(), 0
        return True

    def _head(self, number: int) -> dict[str, str]:
        message = f"File {number} of the event log begins"
        return {TRANSPORT: OWN, "HAFTA_EVENT_LOG": VERSION, "MESSAGE": message}
