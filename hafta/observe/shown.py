"""What the manager says of a unit now, as far as the end of its history needs it."""

from __future__ import annotations

from hafta.frozen import Frozen

FOREVER = (1 << 64) - 1  # microseconds: the infinity of systemd


class Shown(Frozen):
    """ActiveState, the run, and since when: a time of hafta.observe.timeline; None: the manager does not know.

    `asked`: when it was asked; None: after all that the journal has.
    """

    active: str
    run: str = ""
    since: int | None = None
    asked: int | None = None
