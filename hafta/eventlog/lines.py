"""Reading: the lines of a row of files, in their order, also while they are being written.

A line is whatever ends with a newline. What cannot be read as an entry is damage, and the reader is told where it is:
the end of a line that an overlord could not write whole, or that a disk has lost.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from hafta.eventlog.format import LINE_MAX, REALTIME, decode, file_name, number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

HEAD_MAX = 4096  # bytes
MARGIN = 60_000_000  # microseconds by which the head of a file may be late
DAMAGED = b""


class Row:
    """One row of files in a directory. `since`: leave out files that are older (microseconds since 1970).

    Between two readings no file is open.
    """

    def __init__(self, folder: str, row: str, since: int = 0) -> None:
        self._folder = folder
        self._row = row
        #: Files that could not be opened, and why.
        self.missing: dict[str, str] = {}
        self._number = self._first(since)  # which file it reads; 0: there is none yet
        self._offset = 0
        self._held = b""

    @property
    def is_torn(self) -> bool:
        """Whether there is more behind the last whole line."""
        return bool(self._held)

    def lines(self) -> Iterator[bytes]:
        """Yield what has come since the last time; DAMAGED for what is not whole, and will not become so."""
        while True:
            if self._number:
                yield from self._rest()
            following = next((number for number in self._numbers() if number > self._number), 0)
            if not following:
                return
            is_hole = self._number and following != self._number + 1
            if self._held or is_hole:
                yield DAMAGED
            self._number, self._offset, self._held = following, 0, b""

    def _rest(self) -> Iterator[bytes]:
        path = os.path.join(self._folder, file_name(self._row, self._number))
        try:
            file = _opened(path)
        except OSError as error:
            if path not in self.missing:
                self.missing[path] = error.strerror or "cannot be read"
                yield DAMAGED
            return
        with file:
            file.seek(self._offset)
            while piece := file.readline(LINE_MAX):
                self._offset += len(piece)
                is_long = len(self._held) + len(piece) > LINE_MAX
                if piece.endswith(b"\n"):
                    line, self._held = (DAMAGED if is_long else self._held + piece), b""
                    yield line
                else:
                    self._held = (self._held + piece)[:LINE_MAX]

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)
        except OSError as error:
            self.missing[self._folder] = error.strerror or "cannot be read"
            return []
        return sorted(number for name in names if (number := number_of(self._row, name)) is not None)

    def _first(self, since: int) -> int:
        """Return the number of the first file that may have something of that time; 0: there is none."""
        numbers = self._numbers()
        while len(numbers) > 1 and since and 0 < self._begun(numbers[1]) < since - MARGIN:
            numbers.pop(0)
        return numbers[0] if numbers else 0

    def _begun(self, number: int) -> int:
        with suppress(OSError), _opened(os.path.join(self._folder, file_name(self._row, number))) as file:
            head = decode(file.read(HEAD_MAX).partition(b"\n")[0])
            return int(head[REALTIME]) if head else 0
        return 0


def _opened(path: str) -> BinaryIO:
    """Open a file that is one. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(2, "it is not a file", path)
    return open(fd, "rb", buffering=256 * 1024)


def entries(row: Row, wants: Callable[[bytes], bool] = lambda _line: True) -> Iterator[dict[str, str] | None]:
    """Yield the entries of a row whose lines are wanted, None for what is damaged.

    An empty line ends what was damaged before it. A line that begins or ends in the middle is always looked at.
    """
    for line in row.lines():
        if line == b"\n":
            continue
        if wants(line) or not (line.startswith(b'{"__REALTIME_') and line.endswith(b'"}\n')):
            yield decode(line) if line else None
