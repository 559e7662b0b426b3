"""What the journal says of the last day of a unit, as `hafta status` shows it.

1. It counts as `hafta report` does: each time that the unit was down counts once, with all starts that failed.
2. What was down and was not started again does not count as a restart.
3. Where the journal has a hole, a number is None. Before the journal begins there is nothing to count.
"""

from __future__ import annotations

from hafta.frozen import Frozen
from hafta.observe.kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafta.observe.closing import History
    from hafta.observe.outages import Outage

ROLLBACKS = frozenset((Kind.ROLLED_BACK, Kind.ROLLBACK_FAILED))


class Rollback(Frozen):
    """The newest one. `at`: seconds since 1970, by the clock as it stands now."""

    at: float
    node: str
    error: str | None
    reason: str
    attempt: int


class Recent(Frozen):
    """Restarts by what they were for, and rollbacks. None: not known."""

    killed: int | None = None
    hung: int | None = None
    exit: int | None = None
    asked: int | None = None
    rollbacks: int | None = None
    last: Rollback | None = None
    drilled: int = 0  # how often it was down because of a drill, which counts nowhere else
    drill: str = ""  # the one that is going on


def recent(history: History, since: int, last: Rollback | None) -> Recent:
    """Return what a history says of the time since then."""
    tally = history.tally
    causes = [_word(each) for each in history.outages if each.at >= since and _is_restart(each)]
    is_known = not tally.missing and None not in causes and not any(at >= since for at in tally.uncertain)
    killed, hung, ended = (causes.count(word) if is_known else None for word in ("killed", "hung", "exit"))
    asked = sum(at >= since for at in tally.asked)
    rollbacks = sum(each.stands_for for each in tally.events if each.kind in ROLLBACKS and each.at >= since)
    is_whole = not any(loss.at >= since for loss in tally.losses)
    return Recent(
        killed,
        hung,
        ended,
        asked,
        rollbacks if is_whole else None,
        last,
        sum(one.at >= since for one in history.drilled),
        history.drill,
    )


def rollback(fields: Mapping[str, str], at: float, attempt: int) -> Rollback:
    """Return what an entry says of a rollback."""
    return Rollback(
        at, fields.get("HAFTA_NODE", ""), fields.get("HAFTA_ERROR") or None, fields.get("HAFTA_REASON", ""), attempt
    )  # fmt: skip


def _is_restart(outage: Outage) -> bool:
    return not outage.given_up and outage.outcome in {"", "restored"}


def _word(outage: Outage) -> str | None:
    """Return which of the three a cause is; None: the journal does not tell. Causes are those of outages.py."""
    cause = outage.cause
    if cause == "hang":
        return "hung"
    if cause in {"core", "oom", "timeout"} or cause.startswith("killed"):
        return "killed"
    return "exit" if cause.startswith("exit") or cause in {"clean exit", "start"} else None
