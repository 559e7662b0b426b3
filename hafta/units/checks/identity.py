"""Who the overlord runs as."""

from __future__ import annotations

import grp
import os
import pwd

_WELL_KNOWN = {"root": 0, "nobody": 65534}
_SYSTEM = range(1000)  # and nobody, and the dynamic ones: systemd's SYSTEM_UID_MAX is 999


def is_user(wanted: str) -> bool:
    """Answer for a user's name or number, or @system."""
    ids = {os.getuid(), os.geteuid()}
    if wanted in _WELL_KNOWN:
        return _WELL_KNOWN[wanted] in ids
    if wanted == "@system":
        return any(uid in _SYSTEM for uid in ids)
    if (number := _number(wanted)) is not None:
        return number in ids
    if os.getpid() == 1:
        return False
    try:
        return pwd.getpwnam(wanted).pw_uid in ids
    except (KeyError, ValueError):
        return False


def is_group(wanted: str) -> bool:
    """Answer for a group's name or number: ours, or one of which we are a member."""
    ids = {os.getgid(), os.getegid(), *os.getgroups()}
    if (number := _number(wanted)) is not None:
        return number in ids
    if os.getpid() == 1:
        return wanted == "root"
    try:
        return grp.getgrnam(wanted).gr_gid in ids
    except (KeyError, ValueError):
        return False


def _number(text: str) -> int | None:
    """Return a user's or a group's number, written as systemd takes it."""
    if not (text.isascii() and text.isdigit()) or str(int(text[:11])) != text:
        return None
    number = int(text)
    return number if number < 1 << 32 and number not in {0xFFFF, 0xFFFFFFFF} else None
