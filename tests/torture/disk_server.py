"""A disk with a volatile cache, as a file: logs every write and every flush that a loop device on top of it makes.

/usr/bin/python3 disk_server.py MOUNT IMAGE LOG     (python3-fusepy)

MOUNT/disk is the disk, with IMAGE as its first contents. What is written to MOUNT/tell is an acknowledgement, and goes
into the log in its place among the writes; but for "fail N", after which the next N writes to the disk end in EIO.
LOG: entries of kind, offset, length (<cQI) and data; kind W is a write, F a flush, A an acknowledgement.
"""

from __future__ import annotations

import errno
import stat
import struct
import sys

from fusepy import FUSE, FuseOSError, Operations

ENTRY = struct.Struct("<cQI")


class Disk(Operations):
    def __init__(self, image: str, log: str) -> None:
        with open(image, "rb") as file:
            self.data = bytearray(file.read())
        self.log = open(log, "wb", buffering=0)  # noqa: SIM115 - as long as the process
        self.failing = 0

    def note(self, kind: bytes, offset: int = 0, data: bytes = b"") -> None:
        self.log.write(ENTRY.pack(kind, offset, len(data)) + data)

    def getattr(self, path, fh=None):
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
        if path not in {"/disk", "/tell"}:
            raise FuseOSError(errno.ENOENT)
        size = len(self.data) if path == "/disk" else 0
        return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": size}

    def read(self, path, size, offset, fh):
        return bytes(self.data[offset : offset + size]) if path == "/disk" else b""

    def write(self, path, data, offset, fh):
        if path == "/disk":
            self.write_disk(data, offset)
        elif data.startswith(b"fail "):
            self.failing = int(data[5:])
        else:
            self.note(b"A", 0, data)
        return len(data)

    def write_disk(self, data: bytes, offset: int) -> None:
        if self.failing:
            self.failing -= 1
            raise FuseOSError(errno.EIO)
        self.note(b"W", offset, data)
        self.data[offset : offset + len(data)] = data

    def fsync(self, path, datasync, fh):
        if path == "/disk":
            self.note(b"F")
        return 0

    def truncate(self, path, length, fh=None):
        pass  # nobody changes the size of a disk


if __name__ == "__main__":
    mount, image, log = sys.argv[1:]
    FUSE(Disk(image, log), mount, foreground=True, nothreads=True, direct_io=True, big_writes=True, max_write=131072)
