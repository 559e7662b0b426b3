"""The end of a history: what the journal tells, and what the manager says of now, must agree."""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.observe.drills import without
from hafta.observe.intervals import Class, overlay
from hafta.observe.standing import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafta.observe.fold import Fold
    from hafta.observe.intervals import Span
    from hafta.observe.outages import Outage
    from hafta.observe.shown import Shown
    from hafta.observe.tally import Tally

ACTIVE = ("active", "reloading", "refreshing")
SILENT = "the journal does not say how"
RESET = "reset at an unknown time"


class History(Frozen):
    """What one unit was, from `begin`, where the journal begins, to `end`."""

    unit: str
    begin: int
    end: int
    spans: Sequence[Span]
    outages: Sequence[Outage]
    tally: Tally
    drilled: Sequence[Outage] = ()  # those for which a drill is the reason, which do not count
    drill: str = ""  # the one that is going on at the end


def close(
    fold: Fold, begin: int, end: int, shown: Shown | None = None, sleeps: Sequence[tuple[int, int]] = ()
) -> History:
    """Return the history. `shown`: what the manager says; None: it was not asked, and all stays as it was last."""
    if shown is not None and shown.asked is not None and fold.told > shown.asked:
        shown = None  # the journal knows newer things
    fold.finish(shown.run if shown else None)
    if shown is not None:
        _agree(fold, shown, end)
    spans = overlay(fold.track.spans(end), sleeps, Class.MACHINE, "sleep")
    spans = without(spans, fold.outages, end)
    counted = [one for one in fold.outages if not one.drill]
    drilled = [one for one in fold.outages if one.drill]
    return History(fold.unit, begin, end, spans, counted, fold.tally, drilled, fold.machine.drills.at(end))


def begun_before(fold: Fold, shown: Shown | None) -> bool:
    """Take it that a unit of which nothing is known has been up all the time, if the manager says so; tell whether."""
    if shown is None or shown.active not in ACTIVE or shown.since is None:
        return False
    if fold.state is not State.NEW or shown.since > fold.track.since:
        return False
    fold.track.relabel(Class.UP, "")
    fold.run.name, fold.state = shown.run, State.UP
    return True


def _agree(fold: Fold, shown: Shown, end: int) -> None:
    """Rule 13: the manager knows what is so now, and maybe since when."""
    state = fold.state
    since = end if shown.since is None else shown.since
    if shown.active in ACTIVE:
        is_same = shown.run in ("", fold.run.name)
        if is_same and (state is State.UP or fold.run.worker.is_away):  # of workers it knows nothing
            return
        if not begun_before(fold, shown):
            _not_told(fold, since, Class.UP)
        fold.state = State.UP
    elif shown.active == "inactive":
        if state in (State.DOWN, State.GONE):
            _not_told(fold, end, Class.UNKNOWN, RESET)
        elif state in (State.UP, State.NEW):
            _not_told(fold, since, Class.STOPPED)
        elif fold.track.now is Class.MACHINE:
            fold.track.relabel(Class.STOPPED, "not started at boot")
    elif shown.active in ("failed", "activating") and state not in (State.DOWN, State.GONE, State.STARTING):
        _not_told(fold, since, Class.DOWN)
    elif shown.active == "deactivating" and state is State.UP:
        _not_told(fold, since, Class.STOPPED)


def _not_told(fold: Fold, since: int, what: Class, why: str = SILENT) -> None:
    """It is so since `since`, and how that came is unknown."""
    known_until = fold.run.proof if fold.state is State.UP else fold.seen
    fold.give_up(min(known_until, since), why)
    fold.track.turn(since, what)
