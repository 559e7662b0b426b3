"""The C server that hafta-client is tested against does what the tutorial's does, and our end of the pipe reads it."""

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hafta import fifo
from hafta.runtime import Runtime

GOOD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BAD = b"This is bad data and has to be at least 25 chars!!!!"


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([program], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def opened(pipe: str) -> int:
    end = time.monotonic() + 10
    while not os.path.exists(pipe):
        assert time.monotonic() < end, "the server made no pipe"
        time.sleep(0.001)
    return fifo.open_reader(pipe)


def read(reader: int, size: int) -> bytes:
    """Read so many bytes, or fewer if the writer goes."""
    data = b""
    while len(data) < size:
        assert Runtime().wait(reader, 10)
        piece = fifo.read(reader, size - len(data))
        if not piece:
            break
        data += piece
    return data


def test_it_makes_the_pipe_and_writes_good_and_bad_records(tmp_path: Path, build_classic_server: Callable[..., str]):
    pipe = str(tmp_path / "pipe")
    with running(build_classic_server(pipe, pause=0, rate=2, seed=1)):
        reader = opened(pipe)
        assert stat.S_IMODE(os.stat(pipe).st_mode) == 0o600
        stream = read(reader, 5200)
        os.close(reader)
    for record in (GOOD, BAD):
        assert record in stream
    assert stream.replace(BAD, b"").replace(GOOD, b"") in {b"", BAD[:26]}, "cut where we stopped reading, nowhere else"


def test_a_reader_that_was_there_first_waits_for_it_and_sees_its_end(tmp_path, build_classic_server):
    pipe = str(tmp_path / "pipe")
    fifo.make(pipe, 0o600)
    reader = fifo.open_reader(pipe)
    assert not Runtime().wait(reader, 0)
    with running(build_classic_server(pipe, rate=1)) as server:
        assert read(reader, 26) == BAD[:26]
        server.kill()
        assert server.wait(10) == -signal.SIGKILL
        while data := read(reader, 26):
            assert data in {BAD[:26], BAD[26:]}
    os.close(reader)


def test_it_cannot_make_a_pipe_where_no_directory_is(tmp_path: Path, build_classic_server: Callable[..., str]):
    pipe = f"{tmp_path}/nowhere/pipe"
    done = subprocess.run([build_classic_server(pipe)], capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stdout) == (1, f'Unable to make fifo "{pipe}" (No such file or directory)\n')
