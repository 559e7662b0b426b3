"""After the fork: what a worker must not have from its parent, as one list. tests/unit/warm holds each entry.

The order matters. A worker that outlives its parent is the worst case, so it is excluded first; and signals stay
blocked until nothing of the parent's handlers is left.

Not in the list, because Python or the module itself does it at each fork: the random numbers of `random`, the numbers
and the lock of the reporter (journal/reporter.py, rule 5), claims (stores/forks.py). Not in the list, because the
parent has none: threads, event loops, claims (safety.py). The fault handler stays as it is: it writes to stderr.
"""

from __future__ import annotations

import os
import signal

from hafta.frozen import Frozen
from hafta.process import prctl
from hafta.service.signals import STOPPING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: How much sooner than its parent the kernel's OOM killer takes a worker.
SOONER = 100


class Birth(Frozen):
    """What a new worker has to know."""

    parent: int  # its pid
    name: str  # what `ps` and `systemctl status` show
    before: dict[int, Any]  # the handlers that the parent found
    close: tuple[Callable[[], None], ...]  # the parent's descriptors
    mask: frozenset[int]  # the signals that were blocked before the fork


def die_with_parent(birth: Birth) -> None:
    """Never outlive the parent: the kernel kills us with it."""
    if not prctl.die_with_parent(signal.SIGKILL, birth.parent):
        os._exit(0)


def forget_handlers(birth: Birth) -> None:
    """Handle signals as the program did before it had a parent. SIGHUP is the parent's, who reloads."""
    signal.set_wakeup_fd(-1)
    for signum, handler in birth.before.items():
        signal.signal(signum, signal.SIG_DFL if handler is None else handler)
    signal.signal(signal.SIGHUP, _nothing)


def close_descriptors(birth: Birth) -> None:
    """Close the parent's sockets, pipes and pidfds."""
    for close in birth.close:
        close()


def rename(birth: Birth) -> None:
    """Show what this process is."""
    show_name(birth.name)


def die_first(_birth: Birth) -> None:
    """Have the kernel kill the worker, not its parent, when memory runs out."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return  # a sandbox may forbid it
    try:
        os.pwrite(fd, b"%d" % min(1000, int(os.read(fd, 16)) + SOONER), 0)
    except (OSError, ValueError):
        return
    finally:
        os.close(fd)


def unblock(birth: Birth) -> None:
    """Let signals in. SIGTERM and SIGINT wait until the service has handlers for them."""
    signal.pthread_sigmask(signal.SIG_SETMASK, birth.mask | set(STOPPING))


#: All of it, in order.
RESETS: tuple[Callable[[Birth], None], ...] = (
    die_with_parent, forget_handlers, close_descriptors, rename, die_first, unblock,
)  # fmt: skip


def reset(birth: Birth) -> None:
    """Become a worker."""
    for step in RESETS:
        step(birth)


def show_name(name: str) -> None:
    """Set the name that `ps` and `systemctl status` show."""
    prctl.set_name(name)
    prctl.set_title(name)


def _nothing(_signum: int, _frame: object) -> None:
    """Let SIGHUP pass. Not SIG_IGN: programs that the worker starts would inherit that."""
