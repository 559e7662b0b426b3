"""A writer that is killed at whatever moment leaves whole records in the pipe."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from server_streams import pieces, whole_records

from hafta import fifo
from hafta.runtime import Runtime
from hafta.server.source import Source
from hafta.server.writer import Writer

BUDGET = 4.0  # seconds
KILLS = 200
LEAST = 6  # however long they take


class Quiet(Runtime):
    def say(self, text: str) -> None:
        """Print nothing."""


def start_writer(pipe: str, interval: float) -> int:
    if (pid := os.fork()) == 0:
        try:
            Writer(Quiet(), pipe, Source(3), interval).run()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)  # never back into the tests
    return pid


def kill_after(pipe: str, size: int, interval: float) -> bytes:
    """Return all that a writer wrote that was killed once so many bytes had arrived."""
    reader = fifo.open_reader(pipe)
    pid = start_writer(pipe, interval)
    stream = b""
    for piece in pieces(reader):
        if len(stream) <= size < len(stream) + len(piece):
            os.kill(pid, signal.SIGKILL)
        stream += piece
    os.waitpid(pid, 0)
    os.close(reader)
    return stream


@pytest.mark.parametrize("interval", [0, 1e-5])
def test_no_kill_tears_a_record(tmp_path: Path, interval: float):
    pipe = str(tmp_path / "pipe")
    fifo.make(pipe, 0o600)
    end = time.monotonic() + BUDGET / 2
    kills = 0
    while kills < LEAST or (kills < KILLS and time.monotonic() < end):
        records, _ = whole_records(kill_after(pipe, random.randrange(200_000 if not interval else 500), interval))
        assert records > 0
        kills += 1
