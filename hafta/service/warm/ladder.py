"""What the death of a worker means: the rung of the ladder, as data. Pure; the arithmetic is in docs/warm.md.

1. Status 0: the work is done, and the parent ends with it. Status 2: a wrong setting; a restart cannot help.
2. A worker that dies before any was ever ready: the parent ends as it did. A start that fails is the overlord's
   business, as it is without a parent.
3. A crash is replaced, after the hold-off of its row (hafta/service/holdoff.py): at once up to the fifth in a row.
4. The crash after `ladder` in a row ends the parent, too: what only a new process cures (a library's state, a leak in
   the parent, new code) is cured now. The row goes on in the file, so that the overlord's restart is held back. The
   next parent climbs as many rungs before it ends: a cold start costs as much as ten workers.
5. A worker that was asked to go is replaced at once and is not counted, unless it died of something else.
"""

from __future__ import annotations

from hafta import exits
from hafta.service.holdoff import Row, delay, next_row
from hafta.service.warm.table import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.death import Death

FINAL = (exits.OK, exits.USAGE)


def rung(death: Death, row: Row, *, ready: bool, retiring: bool, ladder: int) -> Event:
    """Return what follows a death. `row` counts this one already; `ready`: whether a worker ever was."""
    if retiring and not death.signal and death.status == exits.OK:
        return Event.REPLACE
    clean = not death.signal and not death.why
    if clean and death.status in FINAL:
        return Event.END
    if not ready or is_last(row.crashes, ladder):
        return Event.END
    return Event.HOLD if delay(row.crashes) else Event.REPLACE


def is_last(crashes: int, ladder: int) -> bool:
    """Tell whether the parent ends with this crash of the row: crash 11, 22, 33 with a ladder of 10."""
    return crashes % (ladder + 1) == 0


def crashed(row: Row, now: float) -> Row:
    """Return the row after a crash now: longer by one, or a new one if the run was long enough."""
    return next_row(row, now)
