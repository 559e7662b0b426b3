"""SIGKILL before, and every error from, every system call that claiming, writing, syncing and closing make.

The calls are counted in a run without faults; then the same run is made once for each of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import worker
import workload
from conftest import need
from straced import ERRORS, HANGS, Call, all_of, calls_of, fail, kill
from workload import Board

from hafta.stores.file.files import FileStore

pytestmark = need("strace")

CANNOT_FAIL = {"sched_yield", "getpid", "geteuid", "getrandom", "brk", "mmap", "munmap", "rt_sigaction", "futex"}

#: name: (writes, sync every, slot size, durable, writes that were made before)
SCENARIOS = {
    "create": (5, 2, 4096, 0, 0),
    "create-durable": (3, 1, 4096, 1, 0),
    "resume": (5, 3, 4096, 0, 9),
    "resume-durable": (3, 1, 4096, 1, 9),
    "large": (4, 2, 8192, 1, 9),
    "mend": (3, 2, 4096, 0, 9),  # a slot is damaged: a second fault during the recovery from a first one
}
OFTEN = ("create", "resume-durable", "mend")  # each error in the short mode, too


class Scene:
    """A directory and a board, as they are before the fault."""

    def __init__(self, path, scenario: str) -> None:
        self.path = str(path)
        *self.arguments, self.before = SCENARIOS[scenario]
        self.scale = workload.scale_of(self.arguments[2])
        os.makedirs(self.path, mode=0o700)
        if self.before:
            subprocess.run(self.command(self.before), check=True, timeout=HANGS)
        if scenario == "mend":
            workload.damage_oldest_slot(f"{self.path}/d/hafta-s.checkpoint")

    def copy(self, name: str) -> Scene:
        scene = Scene.__new__(Scene)
        scene.__dict__.update(self.__dict__, path=f"{self.path}-{name}")
        shutil.copytree(self.path, scene.path)
        return scene

    def command(self, writes: int | None = None) -> list[str]:
        first, *rest = self.arguments
        numbers = map(str, (writes or first, *rest))
        files = f"{self.path}/d", f"{self.path}/board"
        return [sys.executable, "-I", "-S", worker.__file__, "records", *files, *numbers]

    def calls(self) -> list[Call]:
        """Return the store's system calls."""
        subprocess.run(
            self.copy("warm").command(), check=True, timeout=HANGS
        )  # else bytecode is written while we count
        scene = self.copy("counted")
        calls = calls_of(scene.command(), f"{scene.path}/trace")
        first, last = (n for n, call in enumerate(calls) if call.name == "sched_yield")
        assert last - first > 20, "the store makes more calls than that"
        return calls[first + 1 : last]

    def judge(self) -> None:
        """I1 and I2: the next process finds the right record, and works; so does the one after it."""
        board = Board(f"{self.path}/board")
        try:
            with FileStore(f"{self.path}/d", slot_size=self.arguments[2]).claim("s", power=True) as claim:
                n = workload.value_of(claim.last, self.scale)
                board.judge(n)
            assert n == workload.independent_value(f"{self.path}/d/hafta-s.checkpoint", self.scale)
            assert os.listdir(f"{self.path}/d") == ["hafta-s.checkpoint"], "a temporary file is left"
            worker.work(f"{self.path}/d", board, 2, *self.arguments[1:])
            assert board[workload.ACKNOWLEDGED] == n + 2
        finally:
            board.close()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_before_any_system_call_loses_nothing(scenario, tmp_path, tell):
    scene = Scene(tmp_path / "scene", scenario)

    def judge(call: Call) -> None:
        hit = scene.copy(f"{call.name}-{call.nth}")
        kill(hit.command(), f"{hit.path}/trace", call)
        hit.judge()
        shutil.rmtree(hit.path)

    tell(all_of(judge, [(call,) for call in scene.calls()]), "SIGKILL before a system call")


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("how", ["once", "for ever after"])
def test_an_error_from_any_system_call_is_clear_and_loses_nothing(scenario, how, tmp_path, tell, long):
    """In the short mode three of the scenarios meet each error at each call, the others one error at each call."""
    scene = Scene(tmp_path / "scene", scenario)
    ever = how == "for ever after"

    def judge(call: Call, error: str) -> None:
        hit = scene.copy(f"{call.name}-{call.nth}-{error}")
        done = fail(hit.command(), f"{hit.path}/trace", call, error, ever=ever)
        assert done.returncode == 0, f"{call} {error}: {done.returncode}: {done.stderr}"
        hit.judge()
        shutil.rmtree(hit.path)

    errors = [error for error in ERRORS if not (ever and error == "EINTR")]  # Python repeats those, as it must
    calls = [call for call in scene.calls() if call.name not in CANNOT_FAIL]
    some = errors if long or scenario in OFTEN else errors[:1]
    tell(all_of(judge, [(call, error) for call in calls for error in some]), f"an error from a system call, {how}")
