"""What a warm service says about itself is what its worker says: the parent knows no calls, and writes nothing."""

import json
import os

import pytest
from processes import Child, wait_until
from warm_support import kill, waiting, worker

from hafta.service.published import SIZE

RECORDS = ", checkpoints=hafta.service.runner.state_checkpoints(level='power')"


def boards_of(pid):
    """Return the descriptors of boards that a process has."""
    places = [f"/proc/{pid}/fd/{fd}" for fd in os.listdir(f"/proc/{pid}/fd")]
    return [place for place in places if os.path.islink(place) and os.readlink(place).endswith(".board")]


@pytest.mark.parametrize("deaths", [0, 1])
def test_each_worker_says_what_the_service_is_and_the_parent_leaves_that_as_it_is(tmp_path, deaths):
    environ = {"RUNTIME_DIRECTORY": str(tmp_path), "WATCHDOG_USEC": "100000"}  # the parent has much to do
    with Child(waiting(RECORDS), f"--state={tmp_path}/s", "--instance=b", **environ) as child:
        for _ in range(deaths):
            kill(worker(child))
        pid = worker(child)
        lines(tmp_path / "feed.board")
        boards = []
        for _ in range(20):
            child.wait_told("WATCHDOG=1", child.told.count("WATCHDOG=1") + 1)
            boards.append(lines(tmp_path / "feed.board"))
        said = json.loads((tmp_path / "feed.hafta").read_text())
        assert (said["pid"], said["sequences"], said["records"]) == (pid, ["feed"], f"{tmp_path}/s")
        assert (said["level"], said["instance"]) == ("power", "b")
        assert {(int(board[0][1]), *board[1][:2]) for board in boards if len(board) > 1} == {(pid, "feed", "work")}
        assert all(len(board) > 1 for board in boards), boards


def test_the_board_is_open_in_the_worker_alone(tmp_path):
    with Child(waiting(), RUNTIME_DIRECTORY=str(tmp_path)) as child:
        kill(worker(child))
        pid = worker(child)
        child.wait_told("1 replaced")
        wait_until(lambda: boards_of(pid), "a board")
        assert (len(boards_of(pid)), boards_of(child.process.pid)) == (1, [])


def lines(path):
    """Wait for a board that is whole; return its lines, as fields."""
    found = wait_until(lambda: path.exists() and len(data := path.read_bytes()) == SIZE and data, "a board")
    text = found[32 : 32 + int(found[:32].split()[1])].decode()
    return [line.split("\t") for line in text.split("\n")]
