"""Late is not hung: a worker that the machine gives no processor is given more time. Pure: no clock, no file.

Rules (the worker is late when the clock has passed `due`; the base is the last look before its beat):

1. A worker that runs or wants to run (state R) is given back what it did not get: the time since the base without the
   time that it ran. The kernel counts a wait only when it has ended, so the wait itself cannot be asked for.
2. In any other state it is given back what it waited for a processor since the base.
3. A stopped one (T) gets nothing.
4. No more is given back than has passed since its beat. Less than TICK counts as nothing.
5. All that is given to one beat is at most the larger of LONGEST deadlines and LEAST seconds: an endless loop on a busy
   machine is found later, and always.

A later look is not a base: what the worker was not given between its beat and that look would not count, and a worker
that then ran for a moment would be called hung.

The readings of a look are taken in this order: what it ran and waited, then the clock, then `due`. Any other order
calls a parent's own lateness, or a beat of just now, a hang.
"""

from __future__ import annotations

from hafta.frozen import Frozen

TICK = 0.004  # seconds: the grain of the scheduler's accounts
LONGEST, LEAST = 10, 1.0


class Look(Frozen):
    """What a look at the worker found; times in seconds, `at` on the monotonic clock."""

    at: float
    state: str  # as /proc/PID/stat has it; empty: it cannot be read
    ran: float
    waited: float


class Verdict(Frozen):
    """Hung, or when to look again."""

    hung: bool
    again: float = 0.0
    granted: float = 0.0  # to this beat


def judge(due: float, allowed: float, base: Look, now: Look) -> Verdict:
    """Judge a worker."""
    if now.at < due:
        return Verdict(hung=False, again=due)
    excuse = min(_not_given(base, now), now.at - (due - allowed))
    granted = min(excuse if excuse >= TICK else 0.0, max(LONGEST * allowed, LEAST))
    return Verdict(hung=now.at >= due + granted, again=due + granted, granted=granted)


def _not_given(base: Look, now: Look) -> float:
    if now.state == "T":
        return 0.0
    if now.state == "R":
        return now.at - base.at - (now.ran - base.ran)
    return now.waited - base.waited
