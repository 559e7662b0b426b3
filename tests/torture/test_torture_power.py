"""Power cuts of whole machines: nothing that was acknowledged as synced is lost, whenever the cut comes."""

from __future__ import annotations

import random
import time

import pytest
from conftest import need
from machine import Machine

pytestmark = need("linux.uml", "mkfs.ext4")

#: name: (what runs in the machine (machine_worker.py), share of the cuts)
WAYS = {
    "each": ("records 1 4096", 0.25),
    "some": ("records 5 4096", 0.125),
    "large": ("records 1 16384", 0.125),
    "sequences": ("shop 1", 0.5),
}
CONTROLS = {"records": "records 0 4096", "sequences": "shop 0"}
LONGEST = 0.4  # seconds from the first acknowledgement to the cut


def cut_once(machine: Machine, chance: random.Random, *, rest: bool = False) -> tuple[int, int]:
    """Boot, let it work for a while, cut; return what it found, and the last that it acknowledged before the cut.

    `rest`: a sequence comes to its end before, for of five deaths in a row a rollback function may be given up.
    """
    machine.boot()
    found = acknowledged = int(machine.wait_for("FOUND")[1])
    if rest:
        acknowledged = int(machine.wait_for("DAY")[1])
    elif chance.random() < 0.8:  # else: cut it right after it has resumed, or while it does
        acknowledged = int(machine.wait_for("ACK")[1])
    deadline = time.monotonic() + chance.random() * LONGEST
    said = []
    while time.monotonic() < deadline:
        said += machine.lines(deadline)
    said += machine.cut()
    assert not [line for line in said if line[:1] == ["VIOLATION"]]
    told = [int(line[1]) for line in said if len(line) == 2 and line[0] == "ACK"]
    return found, max([acknowledged, *told])


@pytest.mark.parametrize("way", WAYS)
def test_a_power_cut_loses_nothing_that_was_acknowledged(way, tmp_path, tell, long):
    work, share = WAYS[way]
    cuts = int((1000 if long else 40) * share)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    machine = Machine(str(tmp_path / "machine"), work)
    promised = 0
    for number in range(cuts):
        found, acknowledged = cut_once(machine, chance, rest=way == "sequences" and number % 4 == 3)
        assert found >= promised, f"cut {number}, seed {seed}: found {found}, acknowledged was {promised}"
        promised = acknowledged
    tell(cuts, f"power cuts, {promised} records, seed {seed}")


@pytest.mark.parametrize("way", CONTROLS)
def test_the_method_sees_what_was_not_synced_go(way, tmp_path, tell, long):
    """The negative control: acknowledged without a sync, records are lost."""
    machine = Machine(str(tmp_path / "machine"), CONTROLS[way])
    chance = random.Random(0)
    cuts = 10 if long else 3
    lost, promised = 0, 0
    for _ in range(cuts + 1):
        found, acknowledged = cut_once(machine, chance)
        lost += found < promised
        promised = acknowledged
    assert lost > 0, "no cut lost anything: the method is blind"
    tell(cuts, "negative controls", seen=lost)
