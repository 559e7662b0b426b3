"""User= and Group=: honoured for root when they exist; otherwise the service runs as the caller, and that is said.

A user who does not exist is not silently root: plan.py refuses that, unless --as-root asks for it.
"""

from __future__ import annotations

import grp
import os
import pwd

from hafta.overlord.unit import Credentials

Found = tuple[Credentials, tuple[str, ...], tuple[str, ...]]  # credentials, directives not honoured, why


def find_credentials(user: str, group: str) -> Found:
    """Return who to run as, the names of what is not honoured, and a sentence for each."""
    if not user and not group:
        return Credentials(), (), ()
    entry = _user(user)
    if os.geteuid() != 0:
        return _as_caller(user, group, entry)
    if user and entry is None:
        both = ("User", "Group") if group else ("User",)
        return Credentials(missing=user), both, (f"there is no user {user} here: runs as root",)
    if not group:
        return _credentials(entry, entry.pw_gid if entry else -1), (), ()
    gid = _gid(group)
    if gid < 0:
        why = f"there is no group {group} here: runs with the group of its user"
        return _credentials(entry, entry.pw_gid if entry else -1), ("Group",), (why,)
    return _credentials(entry, gid), (), ()


def _as_caller(user: str, group: str, entry: pwd.struct_passwd | None) -> Found:
    lost = []
    if user and (entry is None or entry.pw_uid != os.geteuid()):
        lost.append("User")
    if group and _gid(group) != os.getegid():
        lost.append("Group")
    why = ("only root can change the user: runs as the caller",) if lost else ()
    return Credentials(), tuple(lost), why


def _credentials(entry: pwd.struct_passwd | None, gid: int) -> Credentials:
    if entry is None:
        return Credentials(-1, gid)
    return Credentials(entry.pw_uid, gid, entry.pw_name, entry.pw_dir, entry.pw_shell)


def _user(user: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(user)) if user.isascii() and user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        return None


def _gid(group: str) -> int:
    try:
        return int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        return -1
