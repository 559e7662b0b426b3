"""--hold-pipe: a server is replaced. Its reader sees no end of file, no torn record, and all that was acknowledged."""

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest
from processes import PATIENCE, Child, is_readable
from server_streams import Server

from hafta import fifo
from hafta.runtime import Runtime

KILLS = 60
BUDGET = 8.0  # seconds
LEAST = 12  # kills, however long they take

#: hafta-server with numbered records. What write() has taken is acknowledged by one byte in a file, and the next server
#: goes on after that. It begins at once, however often it was killed.
PROGRAM = """
import os, sys
import hafta.service.holdoff
from hafta.server import program, source, writer

hafta.service.holdoff.FREE = 10**9
acknowledged = os.open(os.environ["ACKNOWLEDGED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

class Numbers(source.Source):
    def take(self, limit=source.NEVER):
        first, many = os.fstat(acknowledged).st_size, min(limit, 100)
        return b"".join(b"%025d\\n" % number for number in range(first, first + many)), many, 0

class Acknowledging(writer.Writer):
    def _write(self, fd, data, records, bad):
        super()._write(fd, data, records, bad)
        os.write(acknowledged, b"." * records)
        return records

program.Source, program.Writer = Numbers, Acknowledging
sys.exit(program.main())
"""
SIZE, BATCH = 26, 100


class Numbered(Child):
    """The program, warm, and its reader."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.pipe, self.log = str(directory / "pipe"), directory / "acknowledged"
        self.next = 0  # the number that is to come
        self.repeats = self.received = 0
        super().__init__(
            PROGRAM, "--pipe", self.pipe, "--warm", "--hold-pipe", "--ladder=1000000", "--deadline=0", *options,
            ACKNOWLEDGED=str(self.log),
        )  # fmt: skip
        self.wait_told("READY=1")
        self.reader = fifo.open_reader(self.pipe)
        assert Runtime().wait(self.reader, PATIENCE)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        os.close(self.reader)

    def read(self, size: int = SIZE * 500) -> bool:
        """Read and check what is there; False at the end of the file. What nobody had acknowledged may come twice."""
        data = fifo.read(self.reader, size)
        if data is None:
            assert Runtime().wait(self.reader, PATIENCE)
            return True
        assert len(data) % SIZE == 0, "a torn record"
        for at in range(0, len(data), SIZE):
            number = int(data[at : at + SIZE])
            assert 0 <= self.next - number <= BATCH, f"{number} came in place of {self.next}"
            self.repeats += number != self.next
            self.next = number + 1
            self.received += 1
        return bool(data)

    def workers(self) -> list[int]:
        """Return the process that writes, if there is one now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if name_of(pid) == "hafta-server: worker"]

    def kill(self) -> None:
        """Kill the process that writes."""
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):  # a worker that a reload has replaced meanwhile
                os.kill(pid, signal.SIGKILL)


def name_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")
    except OSError:
        return ""


@pytest.mark.parametrize(("standby", "interval"), [("0", "0"), ("-1", "0"), ("0", "0.0005")])
def test_a_reader_sees_all_that_was_acknowledged_however_often_the_server_is_killed(tmp_path, standby, interval):
    chance = random.Random(11)
    with Numbered(tmp_path, f"--standby={standby}", f"--interval={interval}") as child:
        end, kills = time.monotonic() + BUDGET / 3, 0
        while kills < LEAST or (kills < KILLS and time.monotonic() < end):
            goal = child.received + chance.randrange(1, 40 if interval != "0" else 5000)
            while child.received < goal:
                assert child.read(), "the end of the file"
            child.kill()
            kills += 1
            if kills == LEAST // 2:
                child.process.send_signal(signal.SIGHUP)  # a reload, amid all that
            child.drain()
        child.stop()
        child.drain()
        while child.read():
            pass
        assert child.next >= child.log.stat().st_size > kills
        assert child.repeats <= kills * BATCH


def test_what_a_reader_has_left_unread_is_there_for_the_next_one(tmp_path):
    with Numbered(tmp_path, "--interval=0") as child:
        for _ in range(20):
            child.read(SIZE * 7)
        os.close(child.reader)
        child.wait_told("1 replaced, the last one ended with status 20")
        child.wait_told("waiting for a reader")
        child.reader = fifo.open_reader(child.pipe)
        before = child.received
        while child.received < before + 10_000:
            assert child.read()


def test_another_pipe_in_its_place_is_written_to_and_the_old_one_is_given_up(tmp_path):
    with Numbered(tmp_path, "--interval=0.01") as child:
        child.read()
        os.rename(child.pipe, f"{child.pipe}.old")
        child.kill()
        child.wait_told("FDSTOREREMOVE=1")  # until it is received, the message before has a copy in it
        while child.read():
            pass
        os.close(child.reader)
        child.reader = fifo.open_reader(child.pipe)
        assert Runtime().wait(child.reader, PATIENCE)
        child.next = child.log.stat().st_size
        assert child.read()


def test_the_overlord_is_given_it_too_for_the_next_parent(tmp_path):
    with Numbered(tmp_path, "--interval=0.01") as child:
        child.read()
        child.kill()
        child.wait_told("1 replaced")
        assert [line for line in child.drain() if line.startswith("FD")] == [
            "FDSTORE=1",
            "FDNAME=hafta-pipe",
            "FDPOLL=0",
        ]


def test_when_its_work_is_done_the_reader_sees_the_end(tmp_path):
    with Server(tmp_path, "--warm", "--hold-pipe", "--count=3", "--interval=0", "--bad-rate=0") as server:
        server.wait_told("READY=1")
        reader = server.open_reader()
        server.wait_told("FDSTOREREMOVE=1")
        assert b"".join(iter(lambda: os.read(reader, 999), b"")) == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3
        assert server.finish()[0] == 0


def test_a_cold_server_has_it_held_by_its_overlord(tmp_path):
    """What the overlord is sent before the first record; the next server would be given it by LISTEN_FDS."""
    with Server(tmp_path, "--hold-pipe", "--interval=0", "--bad-rate=0") as server:
        server.wait_told("READY=1")
        reader = server.open_reader()
        server.wait_told("FDPOLL=0")
        assert Runtime().wait(reader, PATIENCE)
        server.process.kill()
        server.process.wait()
        assert fifo.read(reader, 26) == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def test_by_hand_and_cold_there_is_nobody_who_could_hold_it(tmp_path):
    with Server(tmp_path, "--hold-pipe", NOTIFY_SOCKET="") as server:
        status, _, err = server.finish()
        assert (status, err.splitlines()[0]) == (
            2, "hafta-server: error: --hold-pipe: there is nobody who could hold the pipe",
        )  # fmt: skip
        assert "--warm" in err.splitlines()[1]
        assert not is_readable(server.notify)


#: Where --hold-pipe was on before: the lock is that of a descriptor that somebody else has, too, and passes on.
STORED = """
import fcntl, os, sys
pipe = sys.argv[2]
stored = os.open(pipe, os.O_WRONLY)
fcntl.flock(stored, fcntl.LOCK_EX)
os.dup2(stored, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="hafta-pipe")
from hafta.server import program
sys.exit(program.main())
"""


@pytest.mark.parametrize("warm", [(), ("--warm",)])
def test_a_server_without_the_option_gives_back_what_is_still_held_and_is_not_locked_out(tmp_path, warm):
    pipe = str(tmp_path / "pipe")
    fifo.make(pipe, 0o600)
    reader = fifo.open_reader(pipe)
    with Child(STORED, "--pipe", pipe, "--count=2", "--interval=0", "--bad-rate=0", *warm) as child:
        status, _, err = child.finish()
        assert (status, err) == (0, "")
        assert [line for line in child.told if line.startswith("FD")] == ["FDSTOREREMOVE=1", "FDNAME=hafta-pipe"]
    assert os.read(reader, 999) == b"ABCDEFGHIJKLMNOPQRSTUVWXYZ" * 2
    os.close(reader)
