"""How long a watchdog must wait for a guard: shared by the guard, `hafta unit` and docs/guard.md.

With a round every I seconds, a timeout of T and F failures in a row, and a watchdog of P seconds:

- A ping is sent at the first pass at least P/4 after the last one. So at a pass the last ping is at most
  P/4 + max(I, T) old.
- A failed round takes at most max(I, T). So the F-th failure in a row is known at most P/4 + (F + 1) * max(I, T) after
  the last ping. Then the guard triggers the watchdog.
- The watchdog must not run out before that: P > 4/3 * (F + 1) * max(I, T). We take 2 instead of 4/3: P/3 is left for a
  machine that stalls.

A hang is answered at most I + F * max(I, T) after it began; a guard that hangs itself, at most P after its last ping.
"""

from __future__ import annotations

import math

SPACING = 1 / 4  # of the watchdog's period: the least from ping to ping


def watchdog_for(interval: float, timeout: float, failures: int) -> int:
    """Return the WatchdogSec= that goes with these, in whole seconds."""
    return math.ceil(2 * (failures + 1) * max(interval, timeout))


def answered_within(interval: float, timeout: float, failures: int) -> float:
    """Return how many seconds after a hang began the guard acts, at most."""
    return interval + failures * max(interval, timeout)
