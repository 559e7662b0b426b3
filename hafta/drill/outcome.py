"""What a drill found: its figures, and what is to be said of it. Pure."""

from __future__ import annotations

from hafta.drill.drills import Way, patience, stays_stopped
from hafta.drill.rounds import longest, median
from hafta.frozen import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafta.drill.drills import Drill
    from hafta.drill.rounds import Resumed, Round
    from hafta.drill.subject import Subject

FIGURES = ("noticed", "ready", "first_good")


class Outcome(Frozen):
    """One drill, done or left out."""

    drill: str
    ok: bool
    verdict: str
    rounds: tuple[Round, ...] = ()
    is_skipped: bool = False
    missed: tuple[str, ...] = ()

    def median(self, figure: str) -> int | None:
        """Return the middle one of a figure, in microseconds."""
        return median(getattr(one, figure) for one in self.rounds)

    def longest(self, figure: str) -> int | None:
        """Return the longest one of a figure, in microseconds."""
        return longest(getattr(one, figure) for one in self.rounds)

    def count(self, figure: str) -> int:
        """Return in how many rounds it happened."""
        return sum(getattr(one, figure) is not None for one in self.rounds)

    @property
    def resumed(self) -> Resumed | None:
        """Where it resumed in the last round in which it did."""
        return next((one.resumed for one in reversed(self.rounds) if one.resumed), None)

    @property
    def lost(self) -> int:
        """How many events are lost."""
        return sum(one.lost for one in self.rounds)

    @property
    def restarts(self) -> int:
        """How often the unit went down."""
        return sum(one.restarts for one in self.rounds)


def outcome(drill: Drill, subject: Subject, rounds: Sequence[Round]) -> Outcome:
    """Judge what came of the rounds of a drill."""
    judge = _of_ends if drill.way is Way.ENDS else _of_while
    ok, verdict = judge(drill, subject, rounds)
    return Outcome(drill.name, ok, verdict, tuple(rounds))


def _of_ends(drill: Drill, subject: Subject, rounds: Sequence[Round]) -> tuple[bool, str]:
    bad = next((one for one in rounds if not one.is_back), None)
    if bad is None:
        return True, "ok"
    if bad.at_end in {"inactive", "failed"} and stays_stopped(drill, subject):
        return True, f"ok: it stays stopped (Restart={subject.restart or 'no'})"
    return False, _trouble(drill, subject, bad)


def _of_while(drill: Drill, subject: Subject, rounds: Sequence[Round]) -> tuple[bool, str]:
    one = rounds[-1]
    told = f", {one.lost} events lost" if one.lost else ""
    if not one.restarts:
        return True, f"ok: not disturbed{told}"
    if one.is_back:
        return True, f"ok: went down {one.restarts} x ({one.cause}), and is back{told}"
    return False, _trouble(drill, subject, one)


def _trouble(drill: Drill, subject: Subject, bad: Round) -> str:
    if bad.given_up:
        return f"given up: {bad.given_up}"
    if bad.at_end in {"inactive", "failed"}:
        return f"not started again (Restart={subject.restart or 'no'})"
    waited = f"{patience(drill, subject):.0f} s"
    return f"not noticed within {waited}" if bad.noticed is None else f"not ready again within {waited}"
