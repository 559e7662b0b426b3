"""What every torture writes, and how it is judged: record N has contents that only N has.

A worker that is about to be killed tells what it attempted and what was acknowledged in shared memory: a kill cannot
take that back, and telling costs no system call that could be counted as one of the store's.
"""

from __future__ import annotations

import mmap
import struct
import zlib

from hafta.stores.protocol import Claim, Saved

ATTEMPTED, ACKNOWLEDGED, NUMBER, ROUNDS = range(4)


def scale_of(slot_size: int) -> int:
    """Return how much larger records may be in slots of this size."""
    return slot_size // 512 if slot_size > 4096 else 1


def frame_of(n: int, scale: int = 1) -> bytes:
    """Frames change every seventh record."""
    n //= 7
    return struct.pack("<Q", n) + bytes([n & 0xFF]) * ((n * 37) % (100 * scale))


def body_of(n: int, scale: int = 1) -> bytes:
    return struct.pack("<Q", n) + bytes([(n * 7) & 0xFF]) * ((n * 101) % (200 * scale))


def write(claim: Claim, n: int, scale: int = 1, *, sync: bool = False) -> None:
    claim.enter(frame_of(n, scale))
    claim.write(body_of(n, scale), sync)


def value_of(saved: Saved | None, scale: int = 1) -> int:
    """Return N; raises AssertionError for a record that nobody wrote. Nothing to resume counts as 0."""
    if saved is None:
        return 0
    (n,) = struct.unpack_from("<Q", saved.body)
    assert saved.frame == frame_of(n, scale), f"record {n} has the frame of another"
    assert saved.body == body_of(n, scale), f"record {n} has the body of another"
    return n


class Board:
    """Shared memory of a worker and its judge: 64-bit words, each stored in one instruction."""

    def __init__(self, path: str) -> None:
        with open(path, "a+b") as file:
            file.truncate(4096)
            self.map = mmap.mmap(file.fileno(), 4096)
        self.words = memoryview(self.map).cast("Q")

    def __getitem__(self, word: int) -> int:
        return self.words[word]

    def __setitem__(self, word: int, value: int) -> None:
        self.words[word] = value

    def close(self) -> None:
        self.words.release()
        self.map.close()

    def count(self, saved: Saved | None) -> None:
        """I5: the store's own numbers do not go back."""
        number = saved.number if saved else 0
        assert number >= self[NUMBER], f"number {number} after {self[NUMBER]}"
        self[NUMBER] = number

    def judge(self, n: int) -> None:
        """I1: what was found is the last acknowledged record, or one that was attempted after it."""
        assert self[ACKNOWLEDGED] <= n <= self[ATTEMPTED], (
            f"found {n}; acknowledged {self[ACKNOWLEDGED]}, attempted {self[ATTEMPTED]}"
        )


def independent_value(path: str, scale: int = 1) -> int:
    """Return N of the newest record of a file."""
    saved = independent_record(path)
    return value_of(saved if saved.frame or saved.body else None, scale)


def independent_record(path: str) -> Saved:
    """Read a file by docs/store.md alone, without a line of the store's own code, and return its newest record."""
    with open(path, "rb") as file:
        data = file.read()
    slot_size = (len(data) - 4096) // 3
    return Saved(
        *max(slot for n in range(3) if (slot := _slot(data[4096 + n * slot_size : 4096 + (n + 1) * slot_size])))
    )


def _slot(data: bytes) -> tuple[int, bytes, bytes] | None:
    if data[:8] != b"HAFTA-CP" or zlib.crc32(data[:36]) != int.from_bytes(data[36:40], "little"):
        return None
    tail = 40 + int.from_bytes(data[32:36], "little")
    end = tail + 12 + int.from_bytes(data[tail + 8 : tail + 12], "little")
    if zlib.crc32(data[:end]) != int.from_bytes(data[end : end + 4], "little"):
        return None
    return int.from_bytes(data[tail : tail + 8], "little"), data[40:tail], data[tail + 12 : end]


def damage_oldest_slot(path: str) -> None:
    """Break the record of the smallest number, in a file of small slots."""
    with open(path, "r+b") as file:
        data = file.read()
        numbers = {slot[0]: n for n in range(3) if (slot := _slot(data[4096 * (n + 1) : 4096 * (n + 2)]))}
        file.seek(4096 * (numbers[min(numbers)] + 1) + 44)
        file.write(b"damage")
