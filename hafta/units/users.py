"""User=, Group= and DynamicUser=: honoured for root; without root, the service runs as the caller, and that is noted.

The users of the machine are looked at whenever a unit starts: an earlier unit may have made one. A unit whose user does
not exist does not run. It is never root in silence: only --as-root allows that.
"""

from __future__ import annotations

import grp
import os
import pwd
import zlib

from hafta.units.unit import Credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hafta.units.unit import Account

Entry = pwd.struct_passwd
#: The numbers that systemd gives to dynamic users (systemd.exec(5), DynamicUser=).
DYNAMIC = range(61184, 65520)


def find_credentials(account: Account) -> Credentials:
    """Return who to run as now."""
    if os.geteuid() != 0 or not (account.user or account.group or account.dynamic or account.groups):
        return Credentials()
    groups = {name: _gid(name) for name in account.groups}
    if (missing := [name for name, gid in groups.items() if gid is None]) and not account.or_root:
        return Credentials(missing_group=missing[0])
    found = _main_credentials(account)
    return found.replace(groups=tuple(gid for gid in groups.values() if gid is not None))


def _main_credentials(account: Account) -> Credentials:
    """Return the user and the group."""
    entry = _user(account.user)
    if entry is None and account.dynamic:
        entry = _made_up(account)
    if account.user and entry is None:
        return Credentials() if account.or_root else Credentials(missing_user=account.user)
    gid = _gid(account.group) if account.group else entry.pw_gid if entry else -1
    if gid is None and not account.or_root:
        return Credentials(missing_group=account.group)
    if gid is None:
        gid = entry.pw_gid if entry else -1
    if entry is None:
        return Credentials(-1, gid)
    return Credentials(entry.pw_uid, gid, entry.pw_name, entry.pw_dir, entry.pw_shell)


def _made_up(account: Account) -> Entry:
    name = account.user or str(account.dynamic_id)
    return Entry((name, "x", account.dynamic_id, account.dynamic_id, "", "/", "/usr/sbin/nologin"))


def not_honoured(account: Account) -> tuple[str, ...]:
    """Return the directives that a caller who is not root cannot honour."""
    if os.geteuid() == 0:
        return ()
    lost = []
    entry = _user(account.user)
    if account.user and (entry is None or entry.pw_uid != os.geteuid()):
        lost.append("User")
    if account.group and _gid(account.group) != os.getegid():
        lost.append("Group")
    if account.dynamic:
        lost.append("DynamicUser")
    if {_gid(group) for group in account.groups} - {os.getegid(), *os.getgroups()}:
        lost.append("SupplementaryGroups")
    return tuple(lost)


def dynamic_ids(names: Iterable[str]) -> Mapping[str, int]:
    """Return a number for each name of a dynamic user: the same in every run, unless somebody else has it."""
    found: dict[str, int] = {}
    for name in sorted(set(names)):
        first = zlib.crc32(name.encode("utf-8", "surrogateescape")) % len(DYNAMIC)
        candidates = (DYNAMIC[(first + at) % len(DYNAMIC)] for at in range(len(DYNAMIC)))
        taken = set(found.values())
        found[name] = next(number for number in candidates if number not in taken and not _is_known(number))
    return found


def _is_known(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        try:
            grp.getgrgid(number)
        except KeyError:
            return False
    return True


def _user(user: str) -> Entry | None:
    try:
        return pwd.getpwuid(int(user)) if user.isascii() and user.isdigit() else pwd.getpwnam(user)
    except (KeyError, ValueError):
        return None


def _gid(group: str) -> int | None:
    try:
        return int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        return None
