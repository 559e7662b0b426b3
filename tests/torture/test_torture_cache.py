"""Power cuts with a volatile disk cache: every flush that the promise rests on is really made, on a real ext4.

The writes and flushes of a run are logged; then disks are made from them as a power cut at any moment may leave them,
with any part of what was not flushed; ext4 recovers each, and the store is asked.
"""

from __future__ import annotations

import itertools
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import workload
from conftest import as_root, need, need_fuse
from volatile import VolatileDisk, mounted

from hafta.errors import StoreError
from hafta.stores.files import FileStore

pytestmark = [as_root("to mount"), need("mkfs.ext4"), need_fuse()]

#: name: (sync every, slot size, block size, parts of the cache that are tried at each moment)
WAYS = {"each": (1, 4096, 1024, 22), "some": (3, 4096, 4096, 22), "large": (2, 16384, 1024, 7)}
AT_ONCE = 4


class Run:
    """A few processes' worth of claims on a disk, each acknowledged write told to the log."""

    def __init__(self, disk: VolatileDisk, way: str) -> None:
        self.disk = disk
        self.sync_every, self.slot_size, *_ = WAYS[way]
        self.scale = 1 if self.slot_size == 4096 else self.slot_size // 512
        self.n = 0

    def store(self, mount: str) -> FileStore:
        return FileStore(f"{mount}/state", slot_size=self.slot_size)

    def go(self, mount: str, claims: int, writes: int, *, lie: bool = False) -> None:
        for _ in range(claims):
            with self.store(mount).claim("s", durable=not lie) as claim:
                assert workload.value_of(claim.last, self.scale) == self.n
                self.disk.tell(str(self.n))
                for _ in range(writes):
                    self.write(claim, lie=lie)

    def write(self, claim, *, lie: bool) -> None:
        self.n += 1
        sync = self.n % self.sync_every == 0
        claim.enter(workload.frame_of(self.n, self.scale))
        claim.write(workload.body_of(self.n, self.scale), sync and not lie)
        if sync or lie:
            self.disk.tell(str(self.n))

    def found_after(self, state: bytes, place: str) -> int:
        """Return what the next boot finds; -1: not even the file."""
        with mounted(state, f"{self.disk.path}/{place}") as mount:
            path = f"{mount}/state/hafta-s.checkpoint"
            there = os.path.exists(path)
            n = workload.independent_value(path, self.scale) if there else -1
            with self.store(mount).claim("s", durable=True) as claim:
                assert workload.value_of(claim.last, self.scale) == max(n, 0)
            assert os.listdir(f"{mount}/state") == ["hafta-s.checkpoint"]
            return n

    def judge_all(self, seed: int, each: int, judge) -> int:
        """Boot every state, some at a time: a mount is mostly waiting. Return how many."""
        states, count = self.disk.states(random.Random(seed), each), 0
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            while some := list(itertools.islice(states, AT_ONCE)):
                places = [f"place-{n}" for n in range(len(some))]
                found = pool.map(self.found_after, [state for state, _ in some], places)
                for (_, acknowledged), n in zip(some, found, strict=True):
                    judge(n, acknowledged)
                    count += 1
        return count


@pytest.mark.parametrize("way", WAYS)
def test_no_flush_is_missing(way, tmp_path, tell, long):
    seed = random.randrange(1 << 32)
    run = Run(VolatileDisk(str(tmp_path), WAYS[way][2]), way)
    with run.disk.in_use() as mount:
        run.go(mount, 20 if long else 8, 20)

    def judge(found: int, acknowledged: int) -> None:
        nothing_yet = acknowledged == 0 and found == -1
        assert acknowledged <= found <= run.n or nothing_yet, f"seed {seed}: found {found} of {acknowledged}"

    states = run.judge_all(seed, WAYS[way][3] * (4 if long else 1), judge)
    tell(states, f"disks after a power cut, seed {seed}")


def test_the_method_sees_a_missing_flush(tmp_path, tell):
    """The negative control: acknowledged without a sync, most is lost."""
    run = Run(VolatileDisk(str(tmp_path), 1024), "each")
    with run.disk.in_use() as mount:
        run.go(mount, 1, 0)
        run.go(mount, 2, 12, lie=True)
    lost = []
    states = run.judge_all(0, 1, lambda found, acknowledged: lost.append(found < acknowledged))
    assert any(lost), "the method is blind"
    tell(states, f"negative controls; as they must, {sum(lost)} lost records")


@pytest.mark.parametrize("errors", [1, 2, 100])
def test_an_error_of_the_disk_is_never_acknowledged_away(errors, tmp_path, tell, long):
    """EIO when a record is written back: it goes elsewhere, or is refused; the cache is dropped before we look."""
    run = Run(VolatileDisk(str(tmp_path), 4096), "each")
    retried = refused = 0
    rounds = 40 if long else 8
    with run.disk.in_use() as mount:
        for _ in range(rounds):
            with run.store(mount).claim("s", durable=True) as claim:
                found = workload.value_of(claim.last)
                assert found >= run.n, f"found {found} of {run.n} acknowledged"
                run.n = found
                run.write(claim, lie=False)
                promised = run.n
                run.disk.tell(f"fail {errors}")
                try:
                    run.write(claim, lie=False)
                except StoreError as error:
                    assert error.kind == "io"  # noqa: PT017 - not raising is fine, too
                    refused += 1
                    run.n = promised
                retried += len([incident for incident in claim.incidents if incident.kind == "retried"])
                run.disk.tell("fail 0")
            with run.disk.again():
                pass
    assert retried if errors == 1 else refused
    tell(rounds, f"disks that fail, {retried} records written again, {refused} refused")
