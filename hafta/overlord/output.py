"""The pipe behind the stdout and stderr of one start of a service."""

from __future__ import annotations

import os

from hafta.overlord.lines import Splitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.lines import Line
    from hafta.overlord.loop import Loop

SIZE = 65536
READS = 16  # of SIZE, before others have their turn


class Output:
    """Reads lines until the last process that has the pipe is gone."""

    def __init__(self, fd: int, loop: Loop, show: Callable[[Line], None]) -> None:
        self._fd = fd
        self._loop = loop
        self._show = show
        self._splitter = Splitter()
        loop.watch(fd, self.read)

    def read(self, reads: int = 1) -> None:
        """Show what has come."""
        for _ in range(reads):
            if self._fd < 0:
                return
            try:
                data = os.read(self._fd, SIZE)
            except BlockingIOError:
                return
            if not data:
                self.close()
                return
            self._put(self._splitter.feed(data))

    def drain(self) -> None:
        """Show what has come so far, also a last line without its newline: the process is gone."""
        self.read(READS)
        self._put(self._splitter.end())

    def close(self) -> None:
        """Show what is left and let go."""
        self._put(self._splitter.end())
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1

    @property
    def is_open(self) -> bool:
        """Whether somebody may still write."""
        return self._fd >= 0

    def _put(self, lines: list[Line]) -> None:
        for line in lines:
            self._show(line)
