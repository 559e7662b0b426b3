"""Stopping at once: SIGTERM and SIGINT raise Stop in the main thread, so that every wait ends.

Rules:

1. The first of them raises Stop, once; while it flies, further ones do nothing: what ends is not interrupted in ending.
2. Whoever starts the program may have blocked them: then one that came early waits for install(), and is not lost.
3. What is raised in a `__del__` or in the callback of a weak reference (importing has one), Python prints and forgets.
   A Stop that is lost so is not printed: the signal is sent again.
4. A handler is never replaced by SIG_IGN while a signal may be on its way to it: Python would print a complaint.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import get_native_id, start_new_thread

from hafta import exits
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)

_hook = sys.unraisablehook  # that of the program


class Stop(SystemExit):
    """Somebody asked the service to stop. Catching Exception does not catch it.

    A SystemExit, so that what knows that one lets it through (asyncio swallows any other BaseException of a task), and
    so that the program ends quietly with status 0 wherever it is caught late.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(exits.OK)
        self.signum = signum

    def __str__(self) -> str:
        return signal.Signals(self.signum).name


def check_thread() -> None:
    """Raise IllegalMove outside of the main thread."""
    if get_native_id() != os.getpid():
        raise IllegalMove("a service runs in the main thread: only there do signals stop it", "call it there")


def install() -> None:
    """From now on SIGTERM and SIGINT raise Stop; at once, if one of them was blocked until now."""
    global _hook
    if sys.unraisablehook is not _send_again:
        _hook, sys.unraisablehook = sys.unraisablehook, _send_again
    _handle(_raise_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def ignore() -> None:
    """From now on they change nothing, to the very end of the process. Raises Stop for one that has come before."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    finally:
        _handle(signal.SIG_IGN)
        if sys.unraisablehook is _send_again:
            sys.unraisablehook = _hook
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _handle(handler: Any) -> None:
    for signum in STOPPING:
        signal.signal(signum, handler)


def _raise_stop(signum: int, _frame: FrameType | None) -> None:
    _handle(_overlook)
    raise Stop(signum)


def _send_again(lost: Any) -> None:
    """Have the signal once more, after this has returned; leave what else is lost to the program's own hook."""
    if isinstance(lost.exc_value, Stop):
        _handle(_raise_stop)
        start_new_thread(os.kill, (os.getpid(), lost.exc_value.signum))
    else:
        _hook(lost)


def _overlook(_signum: int, _frame: FrameType | None) -> None:
    """Let Stop fly on."""
