"""Whose files and directories are trusted: one answer for pipes, checkpoints and the overlord's own files."""

from __future__ import annotations

import os
import stat


def is_own(info: os.stat_result) -> bool:
    """Tell whether it is ours or root's."""
    return info.st_uid in {0, os.geteuid()}


def is_shared(info: os.stat_result) -> bool:
    """Tell whether others than its owner may write to it; an access list shows in the group's bits."""
    return bool(info.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
