"""Whether a unit may start (conditions.py), found out without ever waiting.

Nearly always the answer is there at once. Where a condition looks at a file system that may be a server's, a child
process asks, and the unit waits for it; the overlord does not. An answer that does not come within PATIENCE counts as
one that cannot be found out. As long as the kernel holds such a child, no second one is made for its unit.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from hafta.process import prctl
from hafta.process.fork import deafen, quiet
from hafta.units.checks.far import is_far
from hafta.units.conditions import Verdict, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hafta.process.loop import Loop
    from hafta.units.unit import Unit

    Answer = Callable[[Verdict], None]

PATIENCE = 10.0  # seconds
_MOST = 65536  # bytes of an answer
_HIGHEST = 1 << 20
_UNKNOWN = "its conditions cannot be found out"


class Inquiries:
    """The questions that children are asking."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._held: dict[str, int] = {}  # unit -> pidfd of a child that was killed, and may be held by the kernel

    def ask(self, unit: Unit, answer: Answer) -> Verdict | None:
        """Return whether a unit may start. None: that takes a while, and then `answer` is called."""
        if not unit.conditions and not unit.asserts:
            return Verdict()
        try:
            if not is_far((*unit.conditions, *unit.asserts)):
                return judge(unit.conditions, unit.asserts)
            if self._is_held(unit.name):
                return Verdict(f"{_UNKNOWN}: a file system does not answer")
            self._send(unit, answer)
        except Exception as error:  # whatever it is, it concerns this unit alone
            return Verdict(f"{_UNKNOWN}: {error}")
        return None

    def _is_held(self, name: str) -> bool:
        fd = self._held.get(name, -1)
        if fd < 0:
            return False
        try:
            signal.pidfd_send_signal(fd, 0)
        except OSError:
            os.close(self._held.pop(name))
            return False
        return True

    def _send(self, unit: Unit, answer: Answer) -> None:
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        parent = os.getpid()
        with quiet():
            pid = os.fork()
            if pid == 0:
                _find_out(unit, theirs, parent)
        os.close(theirs)
        child = os.pidfd_open(pid)
        key = ("inquiry", unit.name)

        def end(verdict: Verdict) -> None:
            self._loop.forget(ours)
            self._loop.clear_timer(key)
            os.close(ours)
            answer(verdict)

        def heard() -> None:
            text = os.read(ours, _MOST).decode("utf-8", "surrogateescape")
            os.close(child)
            kind, _, why = text.partition(" ")
            end(Verdict(why, is_assert=kind == "assert") if kind else Verdict(_UNKNOWN))

        def give_up() -> None:
            with suppress(OSError):
                signal.pidfd_send_signal(child, signal.SIGKILL)
            self._held[unit.name] = child
            end(Verdict(f"{_UNKNOWN} within {PATIENCE:g} s: a file system does not answer"))

        self._loop.watch(ours, heard)
        self._loop.set_timer(key, PATIENCE, give_up)


def _find_out(unit: Unit, fd: int, parent: int) -> None:
    """Be the child: write the answer, and end. It keeps nothing else open, so that it holds nobody up."""
    try:
        deafen(signal.SIG_DFL)
        os.dup2(fd, 3)
        os.closerange(0, 3)
        os.closerange(4, _HIGHEST)
        if prctl.die_with_parent(signal.SIGKILL, parent):
            verdict = judge(unit.conditions, unit.asserts)
            text = f"{'assert' if verdict.is_assert else 'condition'} {verdict.why}"
            os.write(3, text.encode("utf-8", "surrogateescape")[:_MOST])
    finally:
        os._exit(0)
