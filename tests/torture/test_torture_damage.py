"""Damage by others: every bit flipped, every length cut off, garbage in any range, slots from elsewhere."""

from __future__ import annotations

import os
import random

import pytest
import workload

from hafta.errors import StoreError
from hafta.stores.file import layout
from hafta.stores.file.files import FileStore

PATH = "hafta-s.checkpoint"


@pytest.fixture
def written(tmp_path):
    """A store with 9 records written, and its bytes."""
    store = FileStore(str(tmp_path / "d"))
    with store.claim("s") as claim:
        for n in range(1, 10):
            workload.write(claim, n, sync=n % 4 == 0)
    with open(os.path.join(store.directory, PATH), "rb") as file:
        return store, file.read()


def judge(data: bytes, newest: int = 9) -> bool:
    """Return whether something was found, which is a record that was written, and the newest unless a slot is bad."""
    try:
        image = layout.read(data, PATH)
    except StoreError as error:
        assert error.kind == "damaged"  # noqa: PT017 - not raising is fine, too
        return False
    n = workload.value_of(image.saved if image.saved.body else None)
    assert n == newest or image.bad, f"found {n} and no word of damage"
    assert n in {8, 7, 9}, f"found {n}, which no slot held"
    return True


def test_every_flipped_bit_is_noticed(written, tell):
    _, data = written
    flips = 0
    changed = bytearray(data)
    for at in range(len(data)):
        for bit in range(8):
            changed[at] ^= 1 << bit
            assert judge(bytes(changed)), "one flip cannot damage all three slots"
            changed[at] ^= 1 << bit
            flips += 1
    tell(flips, "flipped bits")


def test_a_flip_in_the_newest_record_falls_back_and_says_so(written):
    _, data = written
    image = layout.read(data, PATH)
    start = image.geometry.offset(image.newest)
    size = len(layout.record(image.geometry, image.synced, *image.saved.values()))
    for at in range(start, start + size, 7):
        changed = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        found = layout.read(changed, PATH)
        assert workload.value_of(found.saved) == 8
        assert image.newest in found.bad


def test_every_truncation_is_a_record_or_an_error(written, tell):
    _, data = written
    found = [judge(data[:size]) for size in range(len(data))]
    assert not any(found[: layout.FIRST + 80])
    tell(len(found), "truncations")


def test_garbage_in_any_range_is_noticed(written, tell, long):
    _, data = written
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    rounds = 200_000 if long else 5_000
    for _ in range(rounds):
        start = chance.randrange(len(data))
        size = min(chance.choice((1, 8, 512, 4096, 12288)), len(data) - start)
        fill = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size), data[:size]))
        judge(data[:start] + fill + data[start + size :])
    for _ in range(rounds // 10):
        assert not judge(chance.randbytes(chance.randrange(20_000)))
    tell(rounds + rounds // 10, f"ranges of garbage, seed {seed}")


def test_a_damaged_store_works_again_or_says_why_not(written, tell, long):
    """With the file really changed: a claim either resumes, reports and writes on, or refuses and can be discarded."""
    store, data = written
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    path = os.path.join(store.directory, PATH)
    rounds = 5_000 if long else 300
    for _ in range(rounds):
        with open(path, "wb") as file:
            file.write(hurt(data, chance))
        try:
            with store.claim("s", power=chance.random() < 0.5) as claim:
                goes_on(store, claim)
        except StoreError as error:
            assert error.kind == "damaged"  # noqa: PT017 - not raising is fine, too
            assert store.discard("s")
            with store.claim("s") as claim:
                assert claim.last is None
    tell(rounds, f"damaged files, seed {seed}")


def hurt(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data[: chance.choice((len(data), chance.randrange(len(data))))])
    for _ in range(chance.randrange(4)):
        start = chance.randrange(len(data))
        changed[start : start + 600] = chance.randbytes(len(changed[start : start + 600]))
    return bytes(changed)


def goes_on(store: FileStore, claim) -> None:
    found = workload.value_of(claim.last)
    assert found == 9 or claim.incidents
    for n in range(found + 1, found + 5):
        workload.write(claim, n, sync=n % 2 == 0)
        seen = store.peek("s")
        assert seen is not None
        assert workload.value_of(seen.saved) == n
    claim.close()
    with store.claim("s") as again:
        assert again.incidents == [], "what was damaged is mended by writing on"
