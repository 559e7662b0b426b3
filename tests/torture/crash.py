"""What a disk may hold after a power cut.

Each 512-byte sector is as it was at the last sync, or as any write since left it, or garbage.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SECTOR = 512
EXHAUSTIVE = 4096  # states; of more, as many are drawn


class Disk:
    """Watches one file through the store's own calls: what is on the disk for sure, and what may be."""

    def __init__(self, path: str, monkeypatch) -> None:
        self.path = path
        self.versions: list[bytes] = []
        self._pwrite, self._fdatasync = os.pwrite, os.fdatasync
        monkeypatch.setattr(os, "pwrite", self.pwrite)
        monkeypatch.setattr(os, "fdatasync", self.fdatasync)

    def settle(self) -> None:
        """Everything that was written is on the disk."""
        self.versions = [self.content()]

    def content(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def pwrite(self, fd: int, data: bytes, offset: int) -> int:
        written = self._pwrite(fd, data, offset)
        if os.path.exists(self.path):
            self.versions.append(self.content())
        return written

    def fdatasync(self, fd: int) -> None:
        self._fdatasync(fd)
        self.settle()

    def states(self, chance: random.Random) -> Iterator[bytes]:
        """Return what a power cut now may leave: all of it, or a fair sample."""
        choices = self._choices(chance)
        loose = [n for n, choice in enumerate(choices) if len(choice) > 1]
        count = 1
        for n in loose:
            count *= len(choices[n])
        picks = (
            itertools.product(*(choices[n] for n in loose))
            if count <= EXHAUSTIVE
            else ([chance.choice(choices[n]) for n in loose] for _ in range(EXHAUSTIVE // 8))
        )
        for pick in picks:
            sectors = [choice[0] for choice in choices]
            for n, sector in zip(loose, pick, strict=True):
                sectors[n] = sector
            yield b"".join(sectors)

    def _choices(self, chance: random.Random) -> list[list[bytes]]:
        sectors = []
        for at in range(0, len(self.versions[-1]), SECTOR):
            choice = list(dict.fromkeys(version[at : at + SECTOR] for version in self.versions))
            if len(choice) > 1 and chance.random() < 0.5:
                choice.append(chance.randbytes(SECTOR))
            sectors.append(choice)
        return sectors
