"""hafta-client with a directory for checkpoints: what it had read and counted outlives SIGKILL."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from service_support import PATIENCE, Child

from hafta.cli import records
from hafta.client import CP
from hafta.server.source import BAD, GOOD

CLIENT = ["-m", "hafta.client"]


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe", 0o600)
    return str(tmp_path / "pipe")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def client(pipe: str, state: Path, *options: str) -> Child:
    return Child(CLIENT, "--pipe", pipe, "--state", str(state), *options)


def writer(pipe: str) -> int:
    """Open the pipe for writing as soon as the client reads it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.002)
    raise AssertionError("the client never opened the pipe")


def recorded(state: Path) -> records.Entry | None:
    return next(iter(records.find([str(state)])), None)


def wait_for_record(state: Path, **kept: int) -> records.Entry:
    """Wait until the record has these values."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        entry = recorded(state)
        if entry is not None and kept.items() <= entry.kept.items():
            return entry
    raise AssertionError(f"never recorded {kept}, but {recorded(state)}")


def test_a_killed_client_goes_on_with_the_reads_that_it_had_reached(pipe: str, state: Path):
    with client(pipe, state) as child:
        fd = writer(pipe)
        os.write(fd, GOOD * 3)
        child.wait_line("3 successful read(s)")
        entry = wait_for_record(state, reads=3, good=3)
        assert entry.position.levels[0].checkpoint == CP.CLEAR
        child.stop(signal.SIGKILL)
        os.close(fd)
    with client(pipe, state, "--once") as child:
        fd = writer(pipe)
        os.write(fd, GOOD)
        lines = iter(child.process.stdout.readline, "")
        assert next(line for line in lines if "Waiting for a server" not in line) == "4 successful read(s)\n"
        os.write(fd, GOOD * 21)
        status, out, err = child.finish()
        os.close(fd)
    lines = [line for line in out.splitlines() if not line.startswith("Waiting for a server on ")]
    assert (status, lines[0]) == (0, "25 successful read(s)")
    assert "hafta-client: Sequence client resumes: a process died in node get_work at checkpoint 0, attempt 1" in err
    assert wait_for_record(state, good=25).kept == {"reads": 0, "good": 25, "bad": 0, "rollbacks": 1}


def test_what_was_received_but_not_looked_at_is_told_to_be_lost(pipe: str, state: Path):
    """Not to be bad: nobody knows."""
    from hafta.client import client as sequence
    from hafta.stores import FileStore, codec

    names = tuple(sequence.nodes)
    level = codec.Level("client", "", names, "get_work", "normal", 0, CP.RECEIVED, {"\0reads": 2})
    with FileStore(str(state)).claim("client") as claim:
        claim.enter(
            codec.frame(codec.Position((level.replace(stack=(codec.Visit("open_pipe", 0),)),), 0.0, 0.0, "", 1))
        )
        claim.write(codec.body(CP.RECEIVED, level.state, 1000))
    with client(pipe, state) as child:
        fd = writer(pipe)
        os.write(fd, GOOD)
        assert child.process.stdout.readline() == "Some data was lost\n"
        assert child.process.stdout.readline() == "3 successful read(s)\n"
        os.close(fd)


def test_bad_data_ends_the_row_of_good_reads_as_ever(pipe: str, state: Path):
    with client(pipe, state) as child:
        fd = writer(pipe)
        os.write(fd, GOOD * 3)
        wait_for_record(state, reads=3)
        os.write(fd, BAD)
        assert wait_for_record(state, bad=2).kept["reads"] == 0
        os.write(fd, GOOD)
        child.wait_line("1 successful read(s)")
        os.close(fd)


def test_one_that_was_killed_while_it_waited_for_a_server_opens_the_pipe_at_once(pipe: str, state: Path):
    with client(pipe, state) as child:
        end = time.monotonic() + PATIENCE
        while recorded(state) is None or recorded(state).position is None:
            assert time.monotonic() < end
        assert recorded(state).position.levels[0].node == "open_pipe"
        child.stop(signal.SIGKILL)
    with client(pipe, state) as child:
        fd = writer(pipe)
        os.write(fd, GOOD)
        assert child.process.stdout.readline() == "1 successful read(s)\n", "not that the server died"
        assert child.stop()[0] == 0
        os.close(fd)


def test_its_status_goes_on_counting(pipe: str, state: Path):
    for good in (1, 2, 3):
        with client(pipe, state) as child:
            fd = writer(pipe)
            os.write(fd, GOOD)
            child.wait_told(f"STATUS={good} good reads, 0 bad, {good - 1} rollbacks")
            wait_for_record(state, good=good)
            child.stop(signal.SIGKILL)
            os.close(fd)


def test_a_stop_and_a_start_go_on_too_and_count_no_failure(pipe: str, state: Path):
    for reads in (1, 2):
        with client(pipe, state) as child:
            fd = writer(pipe)
            os.write(fd, GOOD)
            child.wait_line(f"{reads} successful read(s)")
            assert child.stop()[0] == 0
            os.close(fd)
        assert recorded(state).position.levels[0].attempt == 0


class Overlord:
    """Starts a server again whenever it has ended, as an overlord does."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(["true"])
        self._command = [sys.executable, "-m", "hafta.server", *options]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            if self.process.poll() is not None:
                self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.kill()
        self.process.wait()


def test_no_count_ever_goes_back_however_often_it_is_killed(pipe: str, state: Path):
    seed = int(os.environ.get("HAFTA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"HAFTA_TEST_SEED={seed}")
    chance = random.Random(seed)
    before = {"good": 0, "bad": 0, "rollbacks": 0}
    with Overlord("--pipe", pipe, "--interval", "0.001", "--bad-rate", "20"):
        for _ in range(12):
            options = ("--pipe", pipe, "--state", str(state))
            with Child(CLIENT, *options, out=subprocess.DEVNULL, err=subprocess.DEVNULL) as child:
                wait_for_more(state, before["good"] + chance.randrange(1, 40))
                child.stop(signal.SIGKILL)
            after = {name: recorded(state).kept[name] for name in before}
            assert all(after[name] >= before[name] for name in before), (before, after)
            before = after
    assert before["bad"]
    assert before["rollbacks"] >= 11


def wait_for_more(state: Path, good: int) -> None:
    """Wait until at least so many good reads are on record."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        entry = recorded(state)
        if entry is not None and entry.kept.get("good", 0) >= good:
            return
    raise AssertionError(f"never read {good} records, but {recorded(state)}")


def test_two_clients_started_by_hand_do_not_meet_in_one_record(tmp_path: Path):
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name, 0o600)
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "xdg"), "STATE_DIRECTORY": ""}
    one = Child(CLIENT, "--pipe", str(tmp_path / "a"), **home)
    with one, Child(CLIENT, "--pipe", str(tmp_path / "b"), **home) as other:
        for child, name in ((one, "a"), (other, "b")):
            fd = writer(str(tmp_path / name))
            os.write(fd, GOOD)
            child.wait_line("1 successful read(s)")
            os.close(fd)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_overlords_state_directory_makes_it_durable(pipe: str, state: Path):
    with Child(CLIENT, "--pipe", pipe, STATE_DIRECTORY=str(state), HAFTA_INSTANCE="left") as child:
        fd = writer(pipe)
        os.write(fd, GOOD)
        child.wait_line("1 successful read(s)")
        os.close(fd)
    assert [path.name for path in state.iterdir()] == ["hafta-client@left.checkpoint"]
