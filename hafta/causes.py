"""What the system says with an error number, in words: one table for everything that opens files."""

from __future__ import annotations

import errno

from hafta.frozen import Frozen


class Cause(Frozen):
    """Why a system call was refused."""

    kind: str  # as of a StoreError: docs/store.md, section 3
    words: str
    hint: str


_OWNER = "look at owner and mode (systemd: StateDirectory=, ReadWritePaths=, User=)"

_CAUSES = {
    errno.ENOSPC: Cause("full", "no space or no inode is left", "free some space"),
    errno.EDQUOT: Cause("full", "the quota is used up", "free some space"),
    errno.EIO: Cause("io", "the disk reports an error", "look at the kernel's log (dmesg) and replace the disk"),
    errno.EROFS: Cause(
        "read-only", "the file system is read-only", "mount it writable (systemd: StateDirectory=, ReadWritePaths=)"
    ),
    errno.EACCES: Cause("permission", "no permission", _OWNER),
    errno.EPERM: Cause("permission", "not permitted", _OWNER),
    errno.ENAMETOOLONG: Cause("name", "the name is too long", "shorten it"),
}


def cause_of(error: OSError) -> Cause:
    """Return why; in the system's own words where this table has none."""
    return _CAUSES.get(error.errno or 0) or Cause("system", error.strerror or str(error), "fix that and start again")
