"""Dying of the same signal as a child, so that the overlord sees what it would see without us."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from hafta.process import prctl


def die_of(signum: int) -> None:
    """Die of this signal, without a core dump, which would hide the child's. As process 1 nobody dies: this returns."""
    with suppress(OSError):
        prctl.leave_no_core()
    if signum not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
