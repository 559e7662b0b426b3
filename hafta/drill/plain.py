"""A drill as values that JSON has. Keys never vanish; drill.schema.json has them all, and tests hold it."""

from __future__ import annotations

from hafta.drill.drills import why_not
from hafta.drill.outcome import FIGURES
from hafta.observe.times import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from hafta.drill.drills import Drill
    from hafta.drill.managers import Embedded, Systemd
    from hafta.drill.outcome import Outcome
    from hafta.drill.rounds import Round
    from hafta.drill.subject import Subject

VERSION = 1


def plain(
    subject: Subject, manager: Systemd | Embedded, plan: Iterable[Drill], done: Sequence[Outcome] | None, at: float,
    missing: Iterable[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return the whole answer. `done`: None if only the plan is shown."""
    unseen = list(missing)
    return {
        "version": VERSION,
        "at": iso(at),
        "unit": subject.unit,
        "overlord": manager.kind,
        "complete": not unseen,
        "missing": unseen,
        "plan": [
            {
                "drill": one.name,
                "does": one.does,
                "undone": one.undone,
                "left_out": why_not(one, subject, manager.kind, of_user=manager.of_user) or None,
            }
            for one in plan
        ],
        "ok": None if done is None else all(one.ok and not one.missed for one in done),
        "drills": [] if done is None else [_outcome(one) for one in done],
    }


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "drill": one.drill,
        "ok": one.ok and not one.missed,
        "left_out": one.is_skipped,
        "verdict": one.verdict,
        "missed": list(one.missed),
        **{name(figure): _figure(one, figure) for figure in FIGURES},
        "lost": one.lost,
        "restarts": one.restarts,
        "rounds": [_round(each) for each in one.rounds],
    }


def name(figure: str) -> str:
    """Return what a figure is called in the JSON."""
    return {"ready": "ready_again"}.get(figure, figure)


def _figure(one: Outcome, figure: str) -> dict[str, Any]:
    return {
        "median_seconds": seconds(one.median(figure)),
        "longest_seconds": seconds(one.longest(figure)),
        "n": one.count(figure),
    }


def _round(one: Round) -> dict[str, Any]:
    resumed = one.resumed
    return {
        "at": iso(one.at),
        "noticed_seconds": seconds(one.noticed),
        "ready_again_seconds": seconds(one.ready),
        "first_good_seconds": seconds(one.first_good),
        "resumed": resumed and {
            "sequence": resumed.sequence,
            "node": resumed.node,
            "checkpoint": resumed.checkpoint,
            "checkpoint_name": resumed.name or None,
        },
        "cause": one.cause or None,
        "given_up": one.given_up or None,
        "restarts": one.restarts,
        "lost": one.lost,
        "state_at_end": one.at_end,
    }  # fmt: skip


def seconds(usec: int | None) -> float | None:
    """Return microseconds as seconds."""
    return None if usec is None else usec / 1_000_000
