"""A real ext4 on a disk whose writes are logged, and every state that a power cut may leave of it.

What was written before the last flush is on the disk. Of what was written since, the cache of the disk may have saved
any part.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mounting import mount_image, unmount

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SERVER = os.path.join(os.path.dirname(__file__), "disk_server.py")
ENTRY = struct.Struct("<cQI")
SIZE = 8 << 20  # the least that gets a journal with blocks of 4 KiB
SECTOR = 1024  # ext4 takes for granted that its superblock is not torn; tests of the store alone tear at 512
STUCK = 30.0


class VolatileDisk:
    """One disk; `mounted` is the directory of its ext4 while it is in use."""

    def __init__(self, path: str, block_size: int) -> None:
        self.path = path
        self.image, self.log = f"{path}/image", f"{path}/log"
        self.fuse, self.mounted = f"{path}/fuse", f"{path}/ext4"
        for directory in (self.fuse, self.mounted):
            os.makedirs(directory)
        with open(self.image, "wb") as file:
            file.truncate(SIZE)
        whole = "lazy_itable_init=0,lazy_journal_init=0"  # the kernel writes nothing of its own later on
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", whole, "-b", str(block_size), self.image], check=True)

    @contextmanager
    def in_use(self) -> Iterator[str]:
        server = subprocess.Popen(["/usr/bin/python3", SERVER, self.fuse, self.image, self.log])
        try:
            self._wait_for_disk(server)
            mount_image(f"{self.fuse}/disk", self.mounted, "commit=300")
            try:
                yield self.mounted
            finally:
                unmount(self.mounted)
        finally:
            self._stop(server)

    def tell(self, text: str) -> None:
        """Say something to the server: an acknowledgement, or `fail N`."""
        fd = os.open(f"{self.fuse}/tell", os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)

    @contextmanager
    def again(self) -> Iterator[str]:
        """Mount, without the page cache of before."""
        unmount(self.mounted)
        mount_image(f"{self.fuse}/disk", self.mounted, "commit=300")
        yield self.mounted

    def entries(self) -> list[tuple[bytes, int, bytes]]:
        with open(self.log, "rb") as file:
            data = file.read()
        found, at = [], 0
        while at < len(data):
            kind, offset, size = ENTRY.unpack_from(data, at)
            at += ENTRY.size
            found.append((kind, offset, data[at : at + size]))
            at += size
        return found

    def states(self, chance: random.Random, each: int) -> Iterator[tuple[bytes, int]]:
        """Return disks that a power cut may leave, `each` of every moment, with what was acknowledged by then."""
        with open(self.image, "rb") as file:
            flushed = bytearray(file.read())
        pending: list[tuple[int, bytes]] = []
        acknowledged = 0
        seen = set()
        for kind, offset, data in self.entries():
            if kind == b"A":
                acknowledged = int(data)
            elif kind == b"F":
                apply(flushed, pending)
                pending = []
            else:
                pending += [(offset + at, data[at : at + SECTOR]) for at in range(0, len(data), SECTOR)]
            for saved in some(pending, chance, each):
                state = bytearray(flushed)
                apply(state, saved)
                key = zlib.crc32(state), acknowledged
                if key not in seen:
                    seen.add(key)
                    yield bytes(state), acknowledged

    def _wait_for_disk(self, server: subprocess.Popen) -> None:
        deadline = time.monotonic() + STUCK
        while not os.path.exists(f"{self.fuse}/disk"):
            assert server.poll() is None, "the disk server ended"
            assert time.monotonic() < deadline, "the disk server does not mount"
            time.sleep(0.01)

    def _stop(self, server: subprocess.Popen) -> None:
        unmount(self.fuse)  # its loop device goes a little after its mount
        server.wait(STUCK)


def some(pending: list, chance: random.Random, each: int) -> Iterator[list]:
    """Return nothing, all, and random parts of what was not flushed: a beginning, or any."""
    yield []
    if not pending:
        return
    yield pending
    for number in range(each):
        if number % 3 == 0:
            yield pending[: chance.randrange(len(pending))]
        else:
            share = chance.random()
            yield [write for write in pending if chance.random() < share]


def apply(disk: bytearray, writes: list[tuple[int, bytes]]) -> None:
    for offset, data in writes:
        disk[offset : offset + len(data)] = data


@contextmanager
def mounted(state: bytes, directory: str) -> Iterator[str]:
    """Boot after the cut: ext4 recovers its journal."""
    point = f"{directory}/after"
    os.makedirs(point, exist_ok=True)
    fd, image = tempfile.mkstemp(
        dir=directory
    )  # a new file: a container that starts meanwhile keeps our mounts a while
    with open(fd, "wb") as file:
        file.write(state)
    try:
        mount_image(image, point)
        try:
            yield point
        finally:
            unmount(point)
    finally:
        os.unlink(image)
