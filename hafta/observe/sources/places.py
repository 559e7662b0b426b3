"""Which directories are looked into, for what services leave there."""

from __future__ import annotations

import os
import stat


def children(parent: str) -> list[str]:
    """Return the directories in one, without those that strangers may have put there.

    In a directory to which others can write (/tmp), and in those of people (/run/user/UID), only what is our own
    counts.
    """
    try:
        is_safe = _is_safe(os.stat(parent)) and os.path.dirname(parent) != "/run/user" and parent != "/run/user"
        with os.scandir(parent) as entries:
            found = [entry for entry in entries if entry.is_symlink() or entry.is_dir()]
            return sorted(entry.path for entry in found if is_safe or _is_ours(entry))
    except OSError:
        return []


def _is_safe(info: os.stat_result) -> bool:
    return not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return entry.stat(follow_symlinks=False).st_uid == os.geteuid()
