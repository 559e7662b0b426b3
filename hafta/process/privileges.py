"""Capabilities, secure bits, no_new_privs, I/O class and timer slack: system calls that Python's os module lacks.

All that a child calls between fork and exec is prepared when this is imported. Sets of capabilities are bits.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from hafta.frozen import Frozen
from hafta.process.prctl import call, value_of

PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_GET_SECUREBITS, PR_SET_SECUREBITS = 27, 28
PR_SET_TIMERSLACK = 29
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
_IS_SET, _RAISE, _LOWER = 1, 2, 3
CAP_SETPCAP = 8
KEEP_CAPS = 1 << 4  # of the secure bits
LAST_CAP = "/proc/sys/kernel/cap_last_cap"
_VERSION = 0x20080522  # of capset(2): three sets of 64 bits
#: ioprio_set(2) has no function in the C library.
_IOPRIO_SET = {
    "x86_64": 251,
    **dict.fromkeys(("i386", "i586", "i686"), 289),
    **dict.fromkeys(("aarch64", "riscv64", "loongarch64"), 30),
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), 314),
    **dict.fromkeys(("ppc64", "ppc64le"), 273),
    "s390x": 282,
}.get(os.uname().machine, -1)
_IOPRIO_WHO_PROCESS, _IOPRIO_CLASS_SHIFT = 1, 13

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.argtypes = (ctypes.c_long,) * 4
_HEADER = (ctypes.c_uint32 * 2)(_VERSION, 0)
_DATA = (ctypes.c_uint32 * 6)()


def _last() -> int:
    with suppress(OSError, ValueError), open(LAST_CAP, encoding="ascii") as file:
        return int(file.read())
    return 40


#: All capabilities that the kernel has.
CAPABILITIES = range(_last() + 1)


class Sets(Frozen):
    """What a process may do, what it may get, and what its programs may inherit."""

    effective: int
    permitted: int
    inheritable: int


def get_sets() -> Sets:
    """Return our own. Raises OSError."""
    _check(_LIBC.capget(_HEADER, _DATA))
    low = [_DATA[at] | _DATA[at + 3] << 32 for at in range(3)]
    return Sets(*low)


def set_sets(sets: Sets) -> None:
    """Change our own. Raises OSError."""
    for at, bits in enumerate(sets.values()):
        _DATA[at], _DATA[at + 3] = bits & 0xFFFFFFFF, bits >> 32
    _check(_LIBC.capset(_HEADER, _DATA))


def bounding_set() -> int:
    """Return what our programs can get at most."""
    return sum(1 << number for number in CAPABILITIES if value_of(PR_CAPBSET_READ, number) == 1)


def can_bound() -> bool:
    """Tell whether we may make our bounding set smaller."""
    return bool(get_sets().permitted >> CAP_SETPCAP & 1)


def bound(keep: int) -> None:
    """Take all but these out of the bounding set and the inheritable set. Raises OSError."""
    before = get_sets()
    if not before.effective >> CAP_SETPCAP & 1:
        set_sets(before.replace(effective=before.effective | 1 << CAP_SETPCAP))
    for number in CAPABILITIES:
        if not keep >> number & 1 and value_of(PR_CAPBSET_READ, number) == 1:
            call(PR_CAPBSET_DROP, number)
    set_sets(before.replace(inheritable=before.inheritable & keep))


def renounce(keep: int) -> None:
    """Keep at most these, and never have more: for whom may not make the bounding set smaller. Raises OSError."""
    sets = get_sets()
    set_sets(Sets(sets.effective & keep, sets.permitted & keep, sets.inheritable & keep))
    forbid_new_privileges()


def make_inheritable(wanted: int) -> None:
    """Have exactly these in the inheritable set. Raises OSError."""
    set_sets(get_sets().replace(inheritable=wanted))


def set_ambient(wanted: int) -> None:
    """Have exactly these in the ambient set, which programs get without being root. Raises OSError."""
    for number in CAPABILITIES:
        is_set = value_of(PR_CAP_AMBIENT, _IS_SET, number) == 1
        is_wanted = bool(wanted >> number & 1)
        if is_set is not is_wanted:
            call(PR_CAP_AMBIENT, _RAISE if is_wanted else _LOWER, number)


def keep_capabilities(secure_bits: int) -> None:
    """Let the permitted set outlast a change of the user. Raises OSError."""
    set_secure_bits(secure_bits | KEEP_CAPS)


def set_secure_bits(bits: int) -> None:
    """Set the secure bits, unless they are so already: that needs no privilege. Raises OSError."""
    if value_of(PR_GET_SECUREBITS) & ~KEEP_CAPS != bits & ~KEEP_CAPS or bits & KEEP_CAPS:
        call(PR_SET_SECUREBITS, bits)


def forbid_new_privileges() -> None:
    """Have no program give us more than we have. Raises OSError."""
    call(PR_SET_NO_NEW_PRIVS, 1)


def set_timer_slack(nanoseconds: int) -> None:
    """Set how late a timer may be; 0 for the default. Raises OSError."""
    call(PR_SET_TIMERSLACK, nanoseconds)


def set_io_priority(which: int, priority: int) -> None:
    """Set class and priority of our I/O. Raises OSError."""
    _check(_LIBC.syscall(_IOPRIO_SET, _IOPRIO_WHO_PROCESS, 0, which << _IOPRIO_CLASS_SHIFT | priority))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
