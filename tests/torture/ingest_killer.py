"""Run examples/ingest warm, feed it files, and kill its worker at random times; then hold its ledger against the files.

python ingest_killer.py DIRECTORY ROUNDS SEED STANDBY SECONDS
Ends with 0 and a line of figures: after ROUNDS kills, or after the first one that comes later than SECONDS.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: The example itself. Many crashes in a row would be held back for seconds: that is not what is looked at here.
PROGRAM = f"""
import sys
sys.path[:0] = [{ROOT!r}, {ROOT + "/examples/ingest"!r}]
import hafta.service.holdoff
hafta.service.holdoff.FREE = 10**9
import ingest
sys.exit(ingest.main(sys.argv[1:]))
"""
ROWS = 20
WAITING = 40  # files that are to wait, so that a kill meets work
LONGEST = 0.03  # seconds that a worker lives
STUCK = 60.0


class Ingest:
    """The running example, its folders, and the files that it was given."""

    def __init__(self, directory: str, standby: str) -> None:
        self.home = f"{directory}/state"
        os.makedirs(f"{self.home}/incoming", mode=0o700)
        self.given: list[str] = []
        options = ("--warm", "--state", self.home, "--pause=0.005", "--ladder=1000000000", f"--standby={standby}")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", PROGRAM, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def names(self, folder: str) -> list[str]:
        try:
            return os.listdir(f"{self.home}/{folder}")
        except FileNotFoundError:  # it makes them
            return []

    def feed(self) -> None:
        """Put in files until enough wait, each whole: hidden, then renamed."""
        for _ in range(WAITING - len(self.names("incoming"))):
            name = f"file-{len(self.given):05}"
            with open(f"{self.home}/incoming/.{name}", "w") as file:
                file.writelines(f"{row}\n" for row in rows(name))
            os.rename(f"{self.home}/incoming/.{name}", f"{self.home}/incoming/{name}")
            self.given.append(name)

    def next_worker(self, old: int) -> int:
        """Wait for a worker that is not `old`."""
        end = time.monotonic() + STUCK
        while time.monotonic() < end and self.process.poll() is None:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
                for pid in map(int, children.read().split()):
                    if pid != old and title(pid) == "ingest: worker":
                        return pid
            time.sleep(0.0005)
        raise AssertionError(f"there is no other worker; the parent's status: {self.process.returncode}")

    def begin(self) -> None:
        """Wait until the first worker works: before, its end is the overlord's business."""
        end = time.monotonic() + STUCK
        self.feed()
        while not self.names("done"):
            assert time.monotonic() < end, "it does not begin"
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait until all files were dealt with, and stop it."""
        end = time.monotonic() + STUCK
        while self.names("incoming") or self.names("work"):
            assert time.monotonic() < end, "it does not come to an end"
            time.sleep(0.01)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STUCK) == 0


def rows(name: str) -> list[str]:
    return [f"{name},{number},{number}.5" for number in range(ROWS)]


def title(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read().rstrip("\0")
    except OSError:
        return ""


def judge(ingest: Ingest) -> str:
    """Hold the ledger against the files: those that are done are in it once, all others not at all."""
    done, bad = ingest.names("done"), ingest.names("bad")
    assert sorted(done + bad) == ingest.given, "a file is lost, or twice"
    with open(f"{ingest.home}/ledger.csv") as ledger:
        found = Counter(line.rstrip("\n") for line in ledger)
    wanted = Counter(row for name in done for row in rows(name))
    assert found == wanted, f"not once: {list(((found - wanted) + (wanted - found)).items())[:5]}"
    return f"{len(done)} files and {found.total()} rows exactly once, {len(bad)} set aside after five deaths in a row"


def torture(directory: str, rounds: int, seed: int, standby: str, seconds: float) -> str:
    chance = random.Random(seed)
    ingest = Ingest(directory, standby)
    try:
        ingest.begin()
        pid = kills = 0
        end = time.monotonic() + seconds
        while kills < rounds and time.monotonic() < end:
            ingest.feed()
            pid = ingest.next_worker(pid)
            time.sleep(chance.random() * LONGEST)
            os.kill(pid, signal.SIGKILL)
            kills += 1
        ingest.settle()
        return f"{kills} kills of the worker, {judge(ingest)}"
    finally:
        ingest.process.kill()
        ingest.process.wait()


if __name__ == "__main__":
    print(torture(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5])))
