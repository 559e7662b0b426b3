"""A process that a service has forked (os.fork, multiprocessing) is not the service, and does not act for it.

fork() copies the whole service into the child. In the child:

1. SIGTERM and SIGINT do what they did before install(), and so does sys.unraisablehook (signals.give_back).
2. Nothing is sent to the overlord: no READY, STATUS, STOPPING or ping (Service.disown).
3. The file that counts crashes is not touched (Holdoff.disown).
4. The reporter starts from the beginning: it does not report what the parent has counted (journal/reporter.py, rule 5).
   At the end of the child it sends only what the child has reported.
5. The child also has its parent's stack. An exception such as that of sys.exit() unwinds it to the end of main(). There
   main() does nothing more (main.py).
6. Records cannot be written, and locks stay with the parent (stores/forks.py).

A program that is started (subprocess) needs none of this: its environment does not name the notify socket.

During the fork SIGTERM and SIGINT are blocked. A signal that is sent to the child at once waits until the child has its
own handlers; otherwise Python would lose it in the child.
"""

from __future__ import annotations

import os
import signal
from _thread import get_ident

from hafta.service.signals import STOPPING, give_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Disownable(Protocol):
        """A part of a service, as this module sees it."""

        def disown(self) -> None:
            """Stop working: this is a forked child."""


_parts: tuple[Disownable, ...] = ()  # of the service of this process
_registered = False
_masks: dict[int, set[signal.Signals | int]] = {}  # of the threads that are just forking


def keep_apart(*parts: Disownable) -> None:
    """Have these parts of the service disowned in every forked child from now on."""
    global _parts, _registered  # noqa: PLW0603 - handlers cannot be unregistered, so there is one for the process
    _parts = parts
    if not _registered:
        os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_become_a_child)
        _registered = True


def _block() -> None:
    _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, ())  # first: either call may raise Stop
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)


def _unblock() -> None:
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _become_a_child() -> None:
    global _parts
    give_back()
    parts, _parts = _parts, ()
    for part in parts:
        part.disown()
    _unblock()
