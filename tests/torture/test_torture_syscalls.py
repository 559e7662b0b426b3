"""SIGKILL before, and every error from, every system call that claiming, writing, syncing and closing make.

The calls are counted in a run without faults; then the same run is made once for each of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import workload
from conftest import need
from workload import Board

from hafta.stores.files import FileStore

pytestmark = need("strace")

WORKER = os.path.join(os.path.dirname(__file__), "worker.py")
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EACCES", "EROFS", "EMFILE", "ENOMEM", "EINTR")
CANNOT_FAIL = {"sched_yield", "getpid", "geteuid", "getrandom", "brk", "mmap", "munmap", "rt_sigaction", "futex"}
HANGS = 30.0  # seconds: a run takes a tenth of one

#: name: (writes, sync every, slot size, durable, writes that were made before)
SCENARIOS = {
    "create": (5, 2, 4096, 0, 0),
    "create-durable": (3, 1, 4096, 1, 0),
    "resume": (5, 3, 4096, 0, 9),
    "resume-durable": (3, 1, 4096, 1, 9),
    "large": (4, 2, 8192, 1, 9),
    "mend": (3, 2, 4096, 0, 9),  # a slot is damaged: a second fault during the recovery from a first one
}


class Scene:
    """A directory and a board, as they are before the fault."""

    def __init__(self, path, scenario: str) -> None:
        self.path = str(path)
        *self.arguments, self.before = SCENARIOS[scenario]
        self.scale = 16 if self.arguments[2] == 8192 else 1
        os.makedirs(self.path, mode=0o700)
        if self.before:
            self.run(self.before)
        if scenario == "mend":
            workload.damage_oldest_slot(f"{self.path}/d/hafta-s.checkpoint")

    def copy(self, name: str) -> Scene:
        scene = Scene.__new__(Scene)
        scene.__dict__.update(self.__dict__, path=f"{self.path}-{name}")
        shutil.copytree(self.path, scene.path)
        return scene

    def command(self, writes: int | None = None) -> list[str]:
        first, *rest = self.arguments
        numbers = [str(number) for number in (writes or first, *rest)]
        return [sys.executable, "-I", "-S", WORKER, f"{self.path}/d", f"{self.path}/board", *numbers]

    def run(self, writes: int) -> None:
        subprocess.run(self.command(writes), check=True, timeout=HANGS)

    def hurt(self, injection: str) -> subprocess.CompletedProcess:
        trace = ["strace", "-f", "-o", f"{self.path}/trace", "-e", f"trace={injection.partition(':')[0]}"]
        return subprocess.run(
            [*trace, "-e", f"inject={injection}", *self.command()],
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )

    def judge(self) -> None:
        """I1 and I2: the next process finds the right record, and works."""
        board = Board(f"{self.path}/board")
        try:
            with FileStore(f"{self.path}/d", slot_size=self.arguments[2]).claim("s", durable=True) as claim:
                n = workload.value_of(claim.last, self.scale)
                board.judge(n)
            assert n == workload.independent_value(f"{self.path}/d/hafta-s.checkpoint", self.scale)
            assert os.listdir(f"{self.path}/d") == ["hafta-s.checkpoint"], "a temporary file is left"
        finally:
            board.close()
        self.run(2)


def calls_of(scene: Scene) -> list[tuple[str, int]]:
    """Return the store's system calls: name, and how many of that name come before it in the whole process."""
    scene.copy("warm").run(1)  # so that no bytecode is written while we count
    scene = scene.copy("counted")
    trace = ["strace", "-f", "-o", f"{scene.path}/trace"]
    subprocess.run([*trace, *scene.command()], check=True, capture_output=True, timeout=HANGS)  # as in the hurt runs
    with open(f"{scene.path}/trace", encoding="utf-8", errors="replace") as file:
        names = re.findall(r"^\d+ +(\w+)\(", file.read(), re.MULTILINE)
    first, last = (n for n, name in enumerate(names) if name == "sched_yield")
    counts: Counter[str] = Counter()
    calls = []
    for n, name in enumerate(names):
        counts[name] += 1
        if first < n < last:
            calls.append((name, counts[name]))
    assert len(calls) > 20, "the store makes more calls than that"
    return calls


def all_of(hurt, cases) -> int:
    with ThreadPoolExecutor(max_workers=2) as pool:
        return sum(1 for _ in pool.map(lambda case: hurt(*case), cases))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_kill_before_any_system_call_loses_nothing(scenario, tmp_path, tell):
    scene = Scene(tmp_path / "scene", scenario)

    def hurt(name: str, nth: int) -> None:
        hit = scene.copy(f"{name}-{nth}")
        done = hit.hurt(f"{name}:signal=SIGKILL:when={nth}")
        assert done.returncode == -9, f"{name} {nth}: not killed: {done.stderr}"
        hit.judge()
        shutil.rmtree(hit.path)

    tell(all_of(hurt, calls_of(scene)), "SIGKILL before a system call")


@pytest.mark.parametrize("scenario", ["create", "resume-durable", "mend"])
@pytest.mark.parametrize("how", ["once", "for ever after"])
def test_an_error_from_any_system_call_is_clear_and_loses_nothing(scenario, how, tmp_path, tell, long):
    scene = Scene(tmp_path / "scene", scenario)
    again = "+" if how == "for ever after" else ""

    def hurt(name: str, nth: int, error: str) -> None:
        hit = scene.copy(f"{name}-{nth}-{error}")
        done = hit.hurt(f"{name}:error={error}:when={nth}{again}")
        assert done.returncode == 0, f"{name} {nth} {error}: {done.returncode}: {done.stderr}"
        assert "Traceback" not in done.stderr, f"{name} {nth} {error}: {done.stderr}"
        hit.judge()
        shutil.rmtree(hit.path)

    calls = [call for call in calls_of(scene) if call[0] not in CANNOT_FAIL]
    errors = [error for error in ERRORS if not (again and error == "EINTR")]  # Python repeats those, as it must
    some = errors if long else errors[:1] + errors[1::2]
    cases = [(*call, error) for n, call in enumerate(calls) for error in (errors if n % 4 == 0 else some)]
    tell(all_of(hurt, cases), f"an error from a system call, {how}")
