"""Stopping at once: SIGTERM and SIGINT raise Stop in the main thread, so that every wait ends."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)


class Stop(BaseException):
    """Somebody asked the service to stop. As with KeyboardInterrupt, catching Exception does not catch it."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


def install() -> None:
    """From now on SIGTERM and SIGINT raise Stop."""
    for signum in STOPPING:
        signal.signal(signum, _raise_stop)


def ignore() -> None:
    """From now on SIGTERM and SIGINT change nothing: the service is stopping already."""
    for signum in STOPPING:
        signal.signal(signum, signal.SIG_IGN)


def _raise_stop(signum: int, _frame: FrameType | None) -> None:
    ignore()
    raise Stop(signum)
