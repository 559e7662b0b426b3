"""What the overlord shows: the lines of the services with their names, and its own. It never waits for who reads them.

Rules
1. What cannot be written now is kept, up to ROOM bytes for services and RESERVE more for the overlord's own lines. What
   does not fit is dropped, the newest first, counted, and reported when there is room again.
2. The descriptor's own flags are not touched (a terminal is shared with the shell): a pipe or a terminal is opened once
   more with O_NONBLOCK, a socket is written with MSG_DONTWAIT, a file is simply written.
3. When nobody reads any more (EPIPE, a terminal that is gone) the rest is dropped without a word; the services run on.
4. A file whose disk is full is tried again at every flush; no selector tells when there is room.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import time

from hafta.journal.choose import choose_sink
from hafta.journal.entry import printable, sentence
from hafta.journal.output import open_again
from hafta.journal.sink import Sink
from hafta.journal.terminal import LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafta.journal.event import Event
    from hafta.process.loop import Loop

ROOM = 256 * 1024
RESERVE = 64 * 1024
CHUNK = 16 * 1024
FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
OVERLORD = "overlord"
WIDEST = 40  # columns of the longest name: a longer one pushes its own lines to the right, not all
_COLOURS = ("36", "32", "35", "34", "96", "92", "95", "94")


class Console:
    """A bounded buffer in front of a descriptor. `fileno` is what a selector waits for when `waiting`."""

    def __init__(self, fd: int, *, colour: bool) -> None:
        self._fd = fd
        self._colour = colour
        self._write, self._close = _writer(fd)
        self._buffer = bytearray()
        self._dropped: dict[str, int] = {}
        self._names: dict[str, str] = {}
        self._width = len(OVERLORD)
        self._broken = False
        self._full = False

    def introduce(self, names: list[str]) -> None:
        """Give each name its colour, and all the width of the longest."""
        self._names = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}
        self._width = min(max(map(len, (OVERLORD, *map(one_line, names)))), WIDEST)

    @property
    def waiting(self) -> bool:
        """Whether something is left that could not be written, and a selector can tell when it can."""
        return bool(self._buffer) and not self._full

    def flush_in(self, loop: Loop) -> None:
        """Write what can be written, and have the loop come back for the rest."""
        self.flush()
        if self.waiting is not loop.is_watching(self):
            if self.waiting:
                loop.watch(self, self.flush, write=True)
            else:
                loop.forget(self)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._fd

    def show(self, name: str, text: str, priority: int = 6, mark: str = "|") -> bool:
        """Show one line; False if it was dropped."""
        if self._broken:
            return False
        data = self._format(name, text, priority, mark)
        if name == OVERLORD:  # the reporter counts what of its events is dropped
            if len(self._buffer) + len(data) > ROOM + RESERVE:
                return False
        elif self._dropped or len(self._buffer) + len(data) > ROOM:
            self._dropped[name] = self._dropped.get(name, 0) + 1
            return False
        self._buffer += data
        return True

    def _format(self, name: str, text: str, priority: int, mark: str) -> bytes:
        text = one_line(text)
        word, sgr = LEVELS.get(priority, ("", ""))
        if word:
            text = f"\x1b[{sgr}m{word}:\x1b[0m {text}" if self._colour else f"{word}: {text}"
        label = f"{one_line(name):<{self._width}} {mark}"
        if self._colour:
            label = f"\x1b[{self._names.get(name, '1')}m{label}\x1b[0m"
        return f"{label} {text}\n".encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Write what can be written now."""
        self._full = False
        try:
            while self._buffer or self._tell_dropped():
                written = self._write(bytes(self._buffer[:CHUNK]))
                del self._buffer[:written]
        except BlockingIOError:
            return
        except OSError as error:
            self._full = error.errno in FULL  # rule 4
            if not self._full:  # rule 3
                self._broken = True
                self._buffer.clear()

    def _tell_dropped(self) -> bool:
        """Say what was dropped; return whether there was something. It is written at once: nothing waits for a file."""
        dropped, self._dropped = self._dropped, {}
        for name, count in dropped.items():
            lines = "1 line" if count == 1 else f"{count} lines"
            self.show(OVERLORD, f"{lines} of {name} dropped: the output could not be written in time", 4)
        return bool(self._buffer)

    def finish(self, patience: float) -> None:
        """Write what is left, for at most `patience` seconds, and close what was opened."""
        deadline = time.monotonic() + patience
        self.flush()
        while self.waiting and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll(left * 1000)
            self.flush()
        self._close()


def one_line(text: str) -> str:
    r"""Return the text without what a terminal obeys, and without newlines, which would forge a line: \x0a."""
    return printable(text).replace("\n", "\\x0a")


def _writer(fd: int) -> tuple[Callable[[bytes], int], Callable[[], None]]:
    """Return how to write without waiting, or BlockingIOError (rule 2), and how to let go."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return lambda data: os.write(fd, data), _nothing  # closed: the first write says so
    if stat.S_ISSOCK(mode):
        own = socket.socket(fileno=os.dup(fd))
        return lambda data: own.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), own.close
    try:
        again = open_again(fd, mode)
    except OSError:
        return lambda data: _write_polled(fd, data), _nothing
    if again is None:
        return lambda data: os.write(fd, data), _nothing
    return lambda data: os.write(again, data), lambda: os.close(again)


def _nothing() -> None:
    """Let go of nothing: the descriptor itself is not ours to close."""


def _write_polled(fd: int, data: bytes) -> int:
    """Write as much as is sure not to wait: a pipe that polls writable takes PIPE_BUF bytes."""
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data[: select.PIPE_BUF])


class ConsoleSink(Sink):
    """The overlord's own events, among the lines of its services."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def send(self, event: Event, number: int, repeated: int) -> bool:  # noqa: ARG002  a person does not count entries
        """Show one line; False if there was no room."""
        return self._console.show(OVERLORD, sentence(event, repeated), event.PRIORITY)

    def close(self) -> None:
        """Do nothing: the console stays open."""


def choose(environ: Mapping[str, str], console: Console) -> Sink:
    """Return where the overlord's events go: the journal if our output leads there, else among the lines."""
    sink = choose_sink(environ)
    if sink.structured:
        return sink
    sink.close()
    return ConsoleSink(console)


def short(name: str) -> str:
    """Return a unit's name as its lines show it; none can be taken for the overlord itself."""
    found = name.removesuffix(".service")
    return name if found == OVERLORD else found
