"""Which conditions must be left to a child, because the answer may not come: those on file systems that are far.

A server that does not answer holds everyone who looks at its files. So a path is followed here, name by name and link
by link, and nothing is touched that lies on another kind of file system than those below.
"""

from __future__ import annotations

import os

from hafta.units.checks.reading import mounts
from hafta.units.conditions import PATHS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafta.units.conditions import Condition

_NEAR = """
ext2 ext3 ext4 xfs btrfs f2fs zfs bcachefs jfs reiserfs nilfs2 minix vfat msdos exfat ntfs3 hfsplus udf iso9660
squashfs erofs cramfs romfs tmpfs ramfs rootfs devtmpfs devpts overlay aufs proc sysfs cgroup cgroup2 securityfs
debugfs tracefs bpf mqueue hugetlbfs pstore efivarfs configfs selinuxfs binfmt_misc nsfs fusectl
"""
NEAR = frozenset(_NEAR.split())
_LINKS = 40  # as many as the kernel follows
_PATTERN = "*?[{\\"


def is_far(conditions: Iterable[Condition]) -> bool:
    """Tell whether one of them may wait for a server."""
    paths = [condition for condition in conditions if condition.kind in PATHS]
    if not paths:
        return False
    found = dict(mounts())
    if all(kind in NEAR for kind in found.values()):
        return False
    return any(_is_far(condition, found) for condition in paths)


def _is_far(condition: Condition, found: Mapping[str, str]) -> bool:
    path = condition.parameter
    if condition.kind != "PathExistsGlob":
        return leads_far(path, found)
    plain = path[: min((path.index(mark) for mark in _PATTERN if mark in path), default=len(path))]
    below = plain.rpartition("/")[0] + "/"
    return leads_far(below, found) or any(f"{point}/".startswith(below) for point in found if found[point] not in NEAR)


def leads_far(path: str, found: Mapping[str, str]) -> bool:
    """Tell whether the way to a path leads over a file system that is far. `found`: mount points and their kinds."""
    rest = [part for part in reversed(path.split("/")) if part]
    at, links = "/", 0
    while True:
        if found.get(at, "tmpfs") not in NEAR:
            return True
        if not rest:
            return False
        part = rest.pop()
        if part in {".", ".."}:
            at = at if part == "." else os.path.dirname(at)
            continue
        following = os.path.join(at, part)
        target = "" if following in found or links > _LINKS else _link(following)
        links += bool(target)
        rest += [name for name in reversed(target.split("/")) if name]
        at = ("/" if target.startswith("/") else at) if target else following


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return ""
