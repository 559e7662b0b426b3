"""Power cuts as a disk sees them: sectors of what was not synced are old, new or garbage, in any combination.

Nothing that was synced may be lost, nothing may be mixed; and the recovery from such a state may be cut again.
"""

from __future__ import annotations

import os
import random

import pytest
import workload
from crash import Disk

from hafta.errors import StoreError
from hafta.stores.file import layout
from hafta.stores.file.files import FileStore

#: name: (slot size, one write in so many is synced)
SHAPES = {"sector": (4096, 4), "page": (4096, 1), "pages": (8192, 3), "rarely": (12288, 10)}


class History:
    """A store on a watched disk, and what it has promised."""

    def __init__(self, directory: str, slot_size: int, monkeypatch, chance: random.Random) -> None:
        self.path = f"{directory}/hafta-s.checkpoint"
        self.scale = workload.scale_of(slot_size)
        self.chance = chance
        self.store = FileStore(directory, slot_size=slot_size)
        self.disk = Disk(self.path, monkeypatch)
        self.n = self.synced = 0
        self.states = 0
        self.pins = True

    def run(self, claim, writes: int, sync_every: int) -> None:
        """Write, and look at every state that a power cut could leave, between any two steps."""
        for _ in range(writes):
            self.n += 1
            sync = self.chance.randrange(sync_every) == 0
            before = self.disk.fdatasync
            if not self.pins:
                claim._slots.pinned, claim._slots.turns = None, ((1, 2), (2, 0), (0, 1))
            if sync:
                os.fdatasync = self.cut_before_sync
            workload.write(claim, self.n, self.scale, sync=sync)
            os.fdatasync = before
            self.synced = self.n if sync else self.synced
            self.cut()

    def cut_before_sync(self, fd: int) -> None:
        self.cut()
        self.disk.fdatasync(fd)

    def is_readable(self, state: bytes) -> bool:
        """Tell whether this is a state to go on from: not one in which only "nothing to resume" is left of three."""
        try:
            layout.read(state, self.path)
        except StoreError as error:
            lost = "a record may be lost" in error.message
        else:
            return True
        assert lost
        assert self.synced == 0
        return False

    def cut(self) -> None:
        for state in self.disk.states(self.chance):
            self.states += 1
            if not self.is_readable(state):
                continue
            image = layout.read(state, self.path)
            n = workload.value_of(image.saved if image.saved.body else None, self.scale)
            assert self.synced <= n <= self.n, f"found {n}; synced {self.synced}, written {self.n}"


@pytest.mark.parametrize("shape", SHAPES)
def test_torn_sectors_lose_nothing_that_was_synced(shape, tmp_path, monkeypatch, tell, long):
    slot_size, sync_every = SHAPES[shape]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    states = 0
    for number in range(60 if long else 3):
        history = History(str(tmp_path / str(number)), slot_size, monkeypatch, chance)
        with history.store.claim("s") as claim:
            history.disk.settle()
            history.run(claim, 12, sync_every)
        states += history.states
        monkeypatch.undo()
    tell(states, f"torn states, seed {seed}")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_second_cut_during_recovery_loses_nothing(shape, tmp_path, monkeypatch, tell, long):
    """A cut, then a claim that resumes what it found, then a cut at any step of that claim, and so on."""
    slot_size, sync_every = SHAPES[shape]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    history = History(str(tmp_path / "d"), slot_size, monkeypatch, chance)
    with history.store.claim("s", power=True) as claim:
        history.disk.settle()
        history.run(claim, 5, sync_every)
    for _ in range(200 if long else 12):
        state = chance.choice([state for state in history.disk.states(chance) if history.is_readable(state)])
        with open(history.path, "r+b") as file:
            file.write(state)
        history.disk.settle()
        os.fdatasync = history.cut_before_sync
        with history.store.claim("s", power=True) as claim:
            os.fdatasync = history.disk.fdatasync
            found = workload.value_of(claim.last, history.scale)
            assert history.synced <= found <= history.n
            history.n = history.synced = found  # it was handed out as durable
            history.cut()
            history.run(claim, chance.randrange(6), sync_every)
    tell(history.states, f"torn states over recoveries, seed {seed}")


def test_the_method_sees_a_store_that_overwrites_what_was_synced(tmp_path, monkeypatch):
    """The negative control: without the pinned slot, the same states show a loss."""
    history = History(str(tmp_path), 8192, monkeypatch, random.Random(1))
    history.pins = False
    with history.store.claim("s") as claim:
        history.disk.settle()
        with pytest.raises((AssertionError, StoreError), match=r"found \d+; synced|no whole record"):
            history.run(claim, 200, 6)
