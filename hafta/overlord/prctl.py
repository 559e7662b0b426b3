"""prctl(2), which Python's os module does not have."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: int, parent: int) -> bool:
    """Have the kernel send us `signum` when our parent dies; False if `parent` has died before that took hold.

    It is lost when the process changes its user: call it after that.
    """
    _prctl(PR_SET_PDEATHSIG, signum)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Set the name that ps shows, at most 15 bytes."""
    _prctl(PR_SET_NAME, ctypes.c_char_p(os.fsencode(name[:15])))


def _prctl(option: int, argument: object) -> None:
    if _LIBC.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
