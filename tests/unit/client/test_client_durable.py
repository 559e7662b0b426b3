"""hafta-client with a directory for checkpoints: what it had read and counted outlives SIGKILL."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import PATIENCE, Child, Restarted, fed, open_writer

from hafta.client import CP
from hafta.client import client as sequence
from hafta.durable import codec
from hafta.durable.position import Position, SequencePosition, Visit
from hafta.engine.resume import RUNS
from hafta.observe.sources import records
from hafta.server.source import BAD, GOOD
from hafta.stores import FileStore

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


def recorded(state: Path) -> records.Entry | None:
    return next(iter(records.find([str(state)])), None)


def counts(state: Path) -> dict[str, int]:
    """Return what is on record: what is kept, and over it what the node that runs has reached."""
    entry = recorded(state)
    if entry is None or entry.position is None:
        return {}
    return {**entry.kept, **entry.position.sequences[0].state}


def wait_for_record(state: Path, *, least: int = 0, **wanted: int) -> dict[str, int]:
    """Wait until the record has these values, and at least this many good reads; return all."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = counts(state)
        if wanted.items() <= found.items() and found.get("good", 0) >= least:
            return found
    raise AssertionError(f"never recorded {wanted}, {least}, but {recorded(state)}")


def test_a_killed_client_goes_on_with_the_reads_that_it_had_reached(pipe: str, state: Path):
    with client(pipe, state) as child, fed(pipe, GOOD * 3):
        child.wait_line("3 successful read(s)")
        wait_for_record(state, reads=3, good=3)
        assert recorded(state).position.sequences[0].checkpoint == CP.CLEAR
        child.stop(signal.SIGKILL)
    with client(pipe, state, "--once") as child, fed(pipe, GOOD) as fd:
        lines = iter(child.process.stdout.readline, "")
        assert next(line for line in lines if "Waiting for a server" not in line) == "4 successful read(s)\n"
        os.write(fd, GOOD * 21)
        status, out, err = child.finish()
    lines = [line for line in out.splitlines() if not line.startswith("Waiting for a server on ")]
    assert (status, lines[0]) == (0, "25 successful read(s)")
    assert "hafta-client: Sequence client resumes: a process died in node get_work at checkpoint 0, attempt 1" in err
    assert recorded(state).kept == {"reads": 0, "good": 25, "bad": 0, "rollbacks": 1}


def test_what_was_received_but_not_looked_at_is_told_to_be_lost(pipe: str, state: Path):
    """Not to be bad: nobody knows."""
    reached, kept = {"reads": 2, "good": 2}, {"reads": 0, "good": 0, "bad": 0, "rollbacks": 0}
    stack = (Visit("open_pipe"),)
    here = SequencePosition("client", "", tuple(sequence.nodes), "get_work", RUNS, 0, CP.RECEIVED, reached, stack, kept)
    with FileStore(str(state)).claim("client") as claim:
        claim.enter(codec.frame(Position((here,), 0.0, 0.0, "", 1)))
        claim.write(codec.body(CP.RECEIVED, reached, 1000))
    with client(pipe, state) as child, fed(pipe, GOOD):
        assert child.process.stdout.readline() == "Some data was lost\n"
        assert child.process.stdout.readline() == "3 successful read(s)\n"


def test_bad_data_ends_the_row_of_good_reads_as_ever(pipe: str, state: Path):
    with client(pipe, state) as child, fed(pipe, GOOD * 3) as fd:
        wait_for_record(state, reads=3)
        os.write(fd, BAD)
        assert wait_for_record(state, bad=2)["reads"] == 0
        os.write(fd, GOOD)
        child.wait_line("1 successful read(s)")


def test_one_that_was_killed_while_it_waited_for_a_server_opens_the_pipe_at_once(pipe: str, state: Path):
    with client(pipe, state) as child:
        end = time.monotonic() + PATIENCE
        while recorded(state) is None or recorded(state).position is None:
            assert time.monotonic() < end
        assert recorded(state).position.sequences[0].node == "open_pipe"
        child.stop(signal.SIGKILL)
    with client(pipe, state) as child, fed(pipe, GOOD):
        assert child.process.stdout.readline() == "1 successful read(s)\n", "not that the server died"
        assert child.stop()[0] == 0


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)])
def test_its_status_goes_on_counting_and_a_stop_counts_no_failure(pipe: str, state: Path, signum: int, status: int):
    for good in (1, 2, 3):
        with client(pipe, state) as child, fed(pipe, GOOD):
            child.wait_line(f"{good} successful read(s)")
            if signum == signal.SIGKILL:
                child.wait_told(f"STATUS={good} good reads, 0 bad, {good - 1} rollbacks")
            wait_for_record(state, good=good)
            assert child.stop(signum)[0] == status
        assert signum == signal.SIGKILL or recorded(state).position.sequences[0].attempt == 0


def test_no_count_ever_goes_back_however_often_it_is_killed(pipe: str, state: Path):
    seed = int(os.environ.get("HAFTA_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
    print(f"HAFTA_TEST_SEED={seed}")
    chance = random.Random(seed)
    before = {"good": 0, "bad": 0, "rollbacks": 0}
    server = (sys.executable, "-m", "hafta.server", "--pipe", pipe, "--interval", "0.001", "--bad-rate", "20")
    with Restarted(*server):
        for _ in range(12):
            options = ("--pipe", pipe, "--state", str(state))
            with Child(CLIENT, *options, out=subprocess.DEVNULL, err=subprocess.DEVNULL) as child:
                wait_for_record(state, least=before["good"] + chance.randrange(1, 40))
                child.stop(signal.SIGKILL)
            found = counts(state)
            after = {name: found[name] for name in before}
            assert all(after[name] >= before[name] for name in before), (before, after)
            before = after
    assert before["bad"]
    assert before["rollbacks"] >= 11


def test_two_clients_started_by_hand_do_not_meet_in_one_record(tmp_path: Path):
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name, 0o600)
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "xdg"), "STATE_DIRECTORY": ""}
    one = Child(CLIENT, "--pipe", str(tmp_path / "a"), **home)
    with one, Child(CLIENT, "--pipe", str(tmp_path / "b"), **home) as other:
        for child, name in ((one, "a"), (other, "b")):
            fd = open_writer(str(tmp_path / name))
            os.write(fd, GOOD)
            child.wait_line("1 successful read(s)")
            os.close(fd)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_overlords_state_directory_makes_it_durable(pipe: str, state: Path):
    with Child(CLIENT, "--pipe", pipe, STATE_DIRECTORY=str(state), HAFTA_INSTANCE="left") as child, fed(pipe, GOOD):
        child.wait_line("1 successful read(s)")
    assert [path.name for path in state.iterdir()] == ["hafta-client@left.checkpoint"]
