"""What every fork needs: signals that wait during the fork, and a child without Python's handlers."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import ctypes
import signal
import struct
from contextlib import contextmanager

#: As numbers, and by the function behind signal.signal(): making enums of 64 signals is most of the work of a fork.
_ALL = frozenset(map(int, signal.valid_signals()))
_SET, _IGNORED = int(signal.SIG_SETMASK), int(signal.SIG_IGN)
_CHANGEABLE = tuple(sorted(_ALL - {signal.SIGKILL, signal.SIGSTOP}))

#: clone3(2): the same number on all machines that Python runs on.
_CLONE3 = 435
_CLONE_INTO_CGROUP = 1 << 33
_CLONE_PARENT = 1 << 15
#: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
_CLONE_ARGS = struct.Struct("=11Q")
_SYSCALL = ctypes.PyDLL(None).syscall  # it holds Python's lock, which the child then has, too
_SYSCALL.argtypes = (ctypes.c_long, ctypes.c_char_p, ctypes.c_size_t)
_SYSCALL.restype = ctypes.c_long

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def quiet() -> Iterator[None]:
    """Block all signals for the time of a fork."""
    before = _signal.pthread_sigmask(signal.SIG_SETMASK, _ALL)
    try:
        yield
    finally:
        _signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let all signals come: a program begins so."""
    _signal.pthread_sigmask(_SET, ())


def ignore(signum: int) -> None:
    """Have a signal ignored."""
    _signal.signal(signum, _IGNORED)


def deafen(disposition: signal.Handlers) -> None:
    """Remove Python's handlers in a forked child: every signal gets this disposition."""
    signal.set_wakeup_fd(-1)
    for signum in _CHANGEABLE:
        _signal.signal(signum, int(disposition))


def clone(cgroup: int = -1, *, sibling: bool = False) -> int:
    """Fork by clone3(2); -1 if that failed. Neither Python nor the C library hears of it.

    With `cgroup`, a descriptor of its directory, the child is in that cgroup from its first moment. It saves the move,
    for which the kernel waits until nobody is in the middle of a fork: 5 to 10 ms. A `sibling` is a child of our
    parent's. That is safe where there is one thread, and the child soon calls execve(2).
    """
    if _thread._count():  # noqa: SLF001 - `threading` costs more to import than all of this
        return -1
    flags = (_CLONE_INTO_CGROUP if cgroup >= 0 else 0) | (_CLONE_PARENT if sibling else 0)
    exit_signal = 0 if sibling else signal.SIGCHLD  # a sibling has ours, which is the same
    given = _CLONE_ARGS.pack(flags, 0, 0, 0, exit_signal, 0, 0, 0, 0, 0, max(cgroup, 0))
    return int(_SYSCALL(_CLONE3, given, len(given)))
