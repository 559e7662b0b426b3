"""Runtime directories that go when their unit rests. What is in them is the service's: it may be a million files.

A directory is moved aside into a private place at once, so that the unit can start again with a fresh one. Then it is
removed: what can be done in BUDGET seconds at once, the rest piece by piece, in turns with the other work of the loop.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from hafta.overlord.dirs import move_aside, removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafta.process.loop import Loop

BUDGET = 0.01  # seconds of work at a time
_KEY = ("trash", "")


class Trash:
    """Removes directories below a root, by way of `place`, which is ours."""

    def __init__(self, root: str, place: str, loop: Loop) -> None:
        self._root = root
        self._place = place
        self._loop = loop
        self._count = 0
        self._work: list[Iterator[None]] = []

    def remove(self, name: str) -> None:
        """Remove the directory `name` below the root. Raises nothing."""
        self._count += 1
        aside = str(self._count)
        with suppress(FileExistsError, FileNotFoundError):
            os.mkdir(self._place, 0o700)
        is_aside = move_aside(self._root, name, self._place, aside)
        self._work.append(removal(self._place, aside) if is_aside else removal(self._root, name))
        self._go_on()

    def _go_on(self) -> None:
        end = time.monotonic() + BUDGET
        while self._work:
            if next(self._work[0], self) is self:
                self._work.pop(0)
            if time.monotonic() > end:
                break
        if self._work:
            self._loop.set_timer(_KEY, 0.0, self._go_on)
