"""Reloading (SIGHUP): new code without an end of the service.

1. A throw-away child starts the same command line with $HAFTA_WARM_CHECK. It imports everything, reads the settings,
   looks for what does not survive a fork, and ends. Only status 0 goes on; the old code runs meanwhile.
2. The parent replaces itself by exec: same pid, so nothing changes for its overlord. The worker stays its child and
   works on; its page, its kick, the socket for notifications, and what workers have stored (shelf.py) stay open
   ($HAFTA_WARM_HEIR names them).
3. The new parent forks a standby of the new code, and gives it SETTLE seconds to rehearse. Then it asks the old worker
   to stop, and lets the standby pass as soon as it has ended: two workers never live at a time.

SIGTERM, SIGINT, SIGHUP and SIGCHLD are blocked during the exec: what comes then waits for the new parent.
"""

from __future__ import annotations

import os
import signal
import sys

from hafta.frozen import Frozen
from hafta.service.warm.wires import SIGNALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

CHECK, HEIR = "HAFTA_WARM_CHECK", "HAFTA_WARM_HEIR"
CHECK_LIMIT = 30.0  # seconds
SETTLE = 0.3  # seconds


class Heir(Frozen):
    """What a parent hands to itself: descriptors, the worker, and the counts."""

    notify: int
    kick: int
    page: int
    worker: int
    replaced: int
    crashes: int
    shelf: str = ""  # Shelf.describe()


def command() -> list[str]:
    """Return the command line that this process was started with."""
    return [sys.executable, *sys.orig_argv[1:]]


def begin_check(environ: Mapping[str, str]) -> int:
    """Start the check; return its pid. Raises OSError. What it prints is shown like what the service prints."""
    hidden = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    given = {name: value for name, value in environ.items() if name not in hidden}
    return os.posix_spawn(
        sys.executable, command(), {**given, CHECK: "1"}, setsigmask=(signal.SIGHUP,), setsigdef=SIGNALS
    )


def replace_myself(heir: Heir, kept: Sequence[int], environ: Mapping[str, str]) -> None:
    """Exec the command line again. Raises OSError if that is not possible; then all is as before.

    `kept` are further descriptors that stay open.
    """
    fds = (heir.notify, heir.kick, heir.page, *kept)
    numbers = " ".join(map(str, heir.values()[:-1]))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for fd in fds:
            os.set_inheritable(fd, True)
        os.execve(sys.executable, command(), {**environ, HEIR: f"{numbers}\n{heir.shelf}"})  # noqa: S606 - the command line of this very process
    finally:
        for fd in fds:
            os.set_inheritable(fd, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def inherited(environ: MutableMapping[str, str]) -> Heir | None:
    """Take from the environment what the parent before the exec has handed over."""
    text = environ.pop(HEIR, "")
    os.environ.pop(HEIR, None)
    try:
        numbers, _, shelf = text.partition("\n")
        notify, kick, page, worker, replaced, crashes = map(int, numbers.split() if text else ())
        heir = Heir(notify, kick, page, worker, replaced, crashes, shelf)
    except (TypeError, ValueError):
        return None  # there is none, or it is not from us
    return heir if _is_child(heir.worker) else None


def _is_child(pid: int) -> bool:
    """Tell whether this is a child of ours: a stranger's variable must not make us adopt anything."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, OSError, OverflowError):
        return False
    return True
