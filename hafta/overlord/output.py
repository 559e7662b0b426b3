"""The pipe behind the stdout and stderr of one start of a service."""

from __future__ import annotations

import os
import time

from hafta.overlord.lines import Splitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.overlord.lines import Line
    from hafta.process.loop import Loop
    from hafta.units.streams import Standard

SIZE = 4096  # bytes that are read before others have their turn: if all lines have one character, that takes 60 ms
DRAIN = 0.05  # seconds for what a process that has ended left behind; the rest comes in its turn


class Output:
    """Reads lines until the last process that has the pipe is gone."""

    def __init__(self, fd: int, loop: Loop, show: Callable[[Line], None], standard: Standard) -> None:
        self._fd = fd
        self._loop = loop
        self._show = show
        self._most = standard.most
        self._splitter = Splitter(standard.level, has_prefixes=standard.has_prefixes)
        loop.watch(fd, self.read, patient=True)

    def read(self) -> None:
        """Show what has come, or a part of it."""
        self._take()

    def _take(self) -> bool:
        """Show a part of what has come; return whether there may be more."""
        if self._fd < 0:
            return False
        try:
            data = os.read(self._fd, SIZE)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self._put(self._splitter.feed(data))
        return True

    def drain(self) -> None:
        """Show what has come so far, also a last line without its newline: the process is gone."""
        end = time.monotonic() + DRAIN
        while self._take():
            if time.monotonic() > end:
                return
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
            if line.priority <= self._most:
                self._show(line)
