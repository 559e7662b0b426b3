"""What the tests of the server share: a checker of streams, a clock that moves by sleeping, a running server."""

import os
import select
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from processes import PATIENCE, Child

from hafta import fifo
from hafta.runtime import Runtime
from hafta.server.source import BAD, GOOD


def whole_records(stream: bytes) -> tuple[int, int]:
    """Return how many records a stream is made of and how many are bad; anything else in it is an error."""
    between = stream.split(BAD)
    for piece in between:
        torn = piece.replace(GOOD, b"")
        assert not torn, f"torn: {torn[:60]!r}"
    good = sum(len(piece) for piece in between) // len(GOOD)
    return good + len(between) - 1, len(between) - 1


def no_event() -> None:
    """Let nothing happen while somebody sleeps."""


class Clock(Runtime):
    """A runtime whose time moves only by sleeping; `on_sleep` and `on_wait` are what happens meanwhile."""

    def __init__(self, on_sleep: Callable[[], None] = no_event, on_wait: Callable[[], None] = no_event) -> None:
        super().__init__()
        self.time = 100.0
        self.on_sleep, self.on_wait = on_sleep, on_wait
        self.sleeps: list[float] = []
        self.said: list[str] = []
        self.readies: list[str] = []
        self.moves = 0
        self.now = lambda: self.time

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.time += seconds
        self.on_sleep()

    def wait(self, fd: int, timeout: float | None = None, *, write: bool = False) -> bool:
        self.on_wait()
        return super().wait(fd, timeout, write=write)

    def progress(self) -> None:
        self.moves += 1

    def ready(self, status: str = "") -> None:
        self.readies.append(self.described())

    def described(self) -> str:
        return self.describers[-1]()

    def say(self, text: str) -> None:
        self.said.append(text)


class Server(Child):
    """A hafta-server, with its pipe in this directory. Use as a context manager."""

    def __init__(self, directory: Path, *options: str, **environ: str) -> None:
        self.pipe = str(directory / "pipe")
        self._readers: list[subprocess.Popen[bytes]] = []
        self._open: list[int] = []
        super().__init__(["-m", "hafta.server"], "--pipe", self.pipe, *options, **environ)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for reader in self._readers:
            reader.wait(PATIENCE)
        for fd in self._open:
            os.close(fd)

    def open_reader(self) -> int:
        """Open the pipe for reading until this server is left."""
        self._open.append(fifo.open_reader(self.pipe))
        return self._open[-1]

    def read_on(self, reader: int) -> None:
        """Have another process read until the server has gone."""
        assert Runtime().wait(reader, PATIENCE), "before there is a writer, cat would see the end"
        os.set_blocking(reader, True)
        self._readers.append(subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL))


def read_to_end(fd: int) -> bytes:
    """Read until the writer has gone."""
    return b"".join(pieces(fd))


def pieces(fd: int) -> Iterable[bytes]:
    """Give what arrives until the writer has gone."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while poll.poll(PATIENCE * 1000):
        data = os.read(fd, 1 << 16)
        if not data:
            return
        yield data
    raise AssertionError("nothing came, and no end either")
