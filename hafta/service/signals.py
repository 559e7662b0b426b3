"""Stopping at once: SIGTERM and SIGINT raise Stop in the main thread, so that every wait ends.

Rules:

1. The first of them raises Stop, once; while it flies, further ones do nothing: what ends is not interrupted in ending.
2. Whoever starts the program may have blocked them: then one that came early waits for install(), and is not lost.
3. A handler is never replaced by SIG_IGN while a signal may be on its way to it: Python would print a complaint.
"""

from __future__ import annotations

import os
import signal
from _thread import get_native_id

from hafta import exits
from hafta.errors import IllegalMove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT)


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
    _handle(_raise_stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def ignore() -> None:
    """From now on they change nothing, to the very end of the process. Raises Stop for one that has come before."""
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    finally:
        _handle(signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def _handle(handler: Any) -> None:
    for signum in STOPPING:
        signal.signal(signum, handler)


def _raise_stop(signum: int, _frame: FrameType | None) -> None:
    _handle(_overlook)
    raise Stop(signum)


def _overlook(_signum: int, _frame: FrameType | None) -> None:
    """Let Stop fly on."""
