"""Power cuts with a volatile disk cache: every flush that the promise rests on is really made, on a real ext4.

The writes and flushes of a run are logged; then disks are made from them as a power cut at any moment may leave them,
with any part of what was not flushed; ext4 recovers each, and the store is asked.
"""

from __future__ import annotations

import itertools
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import workload
from conftest import as_root, need, need_fuse
from trade import Trade
from volatile import VolatileDisk, mounted

from hafta.errors import StoreError
from hafta.stores.file.files import FileStore

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [as_root("to mount"), need("mkfs.ext4"), need_fuse()]

#: name: (sync every, slot size, block size, parts of the cache that are tried at each moment)
WAYS = {"each": (1, 4096, 1024, 17), "some": (3, 4096, 4096, 17), "large": (2, 16384, 1024, 5)}
AT_ONCE = 4


class Records:
    """A few processes' worth of claims on a disk, each acknowledged write told to the log."""

    def __init__(self, disk: VolatileDisk, way: str) -> None:
        self.disk = disk
        self.sync_every, self.slot_size, *_ = WAYS[way]
        self.scale = workload.scale_of(self.slot_size)
        self.n = 0

    def store(self, mount: str) -> FileStore:
        return FileStore(f"{mount}/state", slot_size=self.slot_size)

    def go(self, mount: str, claims: int, writes: int, *, lie: bool = False) -> None:
        for _ in range(claims):
            with self.store(mount).claim("s", power=not lie) as claim:
                assert workload.value_of(claim.last, self.scale) == self.n
                self.disk.tell(str(self.n))
                for _ in range(writes):
                    self.write(claim, lie=lie)

    def write(self, claim, *, lie: bool) -> None:
        self.n += 1
        sync = self.n % self.sync_every == 0
        workload.write(claim, self.n, self.scale, sync=sync and not lie)
        if sync or lie:
            self.disk.tell(str(self.n))

    def found(self, mount: str) -> int:
        """Return what the next boot finds; -1: not even the file."""
        path = f"{mount}/state/hafta-s.checkpoint"
        there = os.path.exists(path)
        n = workload.independent_value(path, self.scale) if there else -1
        assert n <= self.n
        with self.store(mount).claim("s", power=True) as claim:
            assert workload.value_of(claim.last, self.scale) == max(n, 0)
        assert os.listdir(f"{mount}/state") == ["hafta-s.checkpoint"]
        return n


def found_in_shop(mount: str) -> int:
    """Return what the next boot finds, after it has served all customers."""
    trade = Trade(mount)
    found = trade.found()
    trade.work(1)
    return found


def judge_all(disk: VolatileDisk, found: Callable[[str], int], each: int, chance: random.Random) -> tuple[int, int]:
    """Boot every state, some at a time: a mount is mostly waiting. Return how many, and how many had a loss."""

    def is_lost(state: bytes, acknowledged: int, place: str) -> bool:
        with mounted(state, f"{disk.path}/{place}") as mount:
            n = found(mount)
        return n < acknowledged and not (acknowledged == 0 and n == -1)

    states, count, lost = disk.states(chance, each), 0, 0
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        while some := [(*state, f"place-{n}") for n, state in enumerate(itertools.islice(states, AT_ONCE))]:
            lost += sum(pool.map(lambda case: is_lost(*case), some))
            count += len(some)
    return count, lost


@pytest.mark.parametrize("way", WAYS)
def test_no_flush_is_missing(way, tmp_path, tell, long):
    seed = random.randrange(1 << 32)
    records = Records(VolatileDisk(str(tmp_path), WAYS[way][2]), way)
    with records.disk.in_use() as mount:
        records.go(mount, 20 if long else 8, 20)
    each = WAYS[way][3] * (4 if long else 1)
    states, lost = judge_all(records.disk, records.found, each, random.Random(seed))
    assert not lost, f"seed {seed}"
    tell(states, f"disks after a power cut, seed {seed}")


def test_no_flush_of_a_whole_sequence_is_missing(tmp_path, tell, long):
    seed = random.randrange(1 << 32)
    disk = VolatileDisk(str(tmp_path), 1024)
    with disk.in_use() as mount:
        Trade(mount, lambda number: disk.tell(str(number))).work(10 if long else 2)
    states, lost = judge_all(disk, found_in_shop, 4 if long else 1, random.Random(seed))
    assert not lost, f"seed {seed}"
    tell(states, f"disks after a power cut, with a whole sequence, seed {seed}")


def test_the_method_sees_a_missing_flush(tmp_path, tell):
    """The negative control: acknowledged without a sync, most is lost."""
    records = Records(VolatileDisk(str(tmp_path), 1024), "each")
    with records.disk.in_use() as mount:
        records.go(mount, 1, 0)
        records.go(mount, 2, 12, lie=True)
    states, lost = judge_all(records.disk, records.found, 1, random.Random(0))
    assert lost, "the method is blind"
    tell(states, "negative controls", seen=lost)


@pytest.mark.parametrize("errors", [1, 2, 100])
def test_an_error_of_the_disk_is_never_acknowledged_away(errors, tmp_path, tell, long):
    """EIO when a record is written back: it goes elsewhere, or is refused; the cache is dropped before we look."""
    run = Records(VolatileDisk(str(tmp_path), 4096), "each")
    retried = refused = 0
    rounds = 40 if long else 8
    with run.disk.in_use() as mount:
        for _ in range(rounds):
            with run.store(mount).claim("s", power=True) as claim:
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
