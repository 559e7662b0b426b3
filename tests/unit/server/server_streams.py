"""What the tests of the server share: a checker of streams, a clock that moves by sleeping, a running server."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from hafta import fifo
from hafta.runtime import Runtime
from hafta.server.source import BAD, GOOD

PATIENCE = 60.0  # seconds after which a test gives up; nothing waits that long when all is well


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


class Server:
    """A hafta-server in a process of its own, with a socket in the overlord's place. Use as a context manager."""

    def __init__(self, directory: Path, *options: str, **environ: str) -> None:
        self.pipe = str(directory / "pipe")
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._notify.settimeout(PATIENCE)
        place = str(directory / f"notify-{time.monotonic_ns()}")
        self._notify.bind(place)
        # Nor is it measured: a stop in the middle of coverage's tracer would leave a lock of that taken.
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAFTA_", "COVERAGE_"))}
        self._readers: list[subprocess.Popen[bytes]] = []
        self._open: list[int] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hafta.server", "--pipe", self.pipe, *options],
            env={**clean, "NOTIFY_SOCKET": place, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()
        for reader in self._readers:
            reader.wait(PATIENCE)
        for fd in self._open:
            os.close(fd)
        self._notify.close()

    def open_reader(self) -> int:
        """Open the pipe for reading until this server is left."""
        self._open.append(fifo.open_reader(self.pipe))
        return self._open[-1]

    def drain(self, reader: int) -> None:
        """Have another process read until the server has gone."""
        assert Runtime().wait(reader, PATIENCE), "before there is a writer, cat would see the end"
        os.set_blocking(reader, True)
        self._readers.append(subprocess.Popen(["cat"], stdin=reader, stdout=subprocess.DEVNULL))

    def pause(self) -> None:
        """Stop it, with SIGSTOP, until it is sent a SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def drain_told(self) -> None:
        """Take all that the overlord was sent so far."""
        while select.select([self._notify], [], [], 0)[0]:
            self.told()

    def told(self) -> list[str]:
        """Wait for one message to the overlord and return its lines."""
        return self._notify.recv(4096).decode().splitlines()

    def wait_told(self, what: str) -> str:
        """Wait until a line with these words was sent to the overlord; return it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.told():
                if what in line:
                    return line
        raise AssertionError(f"never told: {what}")

    def stop(self, signum: int = signal.SIGTERM) -> tuple[int, float]:
        """Send the signal; return the exit status and how many seconds the end took."""
        start = time.monotonic()
        self.process.send_signal(signum)
        status = self.process.wait(PATIENCE)
        return status, time.monotonic() - start

    def finish(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and what was printed on stderr."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors.decode()


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
