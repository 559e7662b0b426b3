"""The default policy: five failures in a row, then the previous node."""

from __future__ import annotations

from hafta.engine.words import ROLL_BACK_CURRENT, ROLL_BACK_PREVIOUS, Kind, proceed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hafta.engine.words import PolicyEvent, Verdict

_SUCCESSES = frozenset({Kind.NORMAL_SUCCESS, Kind.ROLLBACK_SUCCESS})
#: Failures one to four in a row are rolled back in place; this one goes to the previous node.
LIMIT = 5


def default_verdict(kind: Kind, attempt: int) -> Verdict:
    """Return what follows a failure that is the `attempt`-th in a row."""
    if kind is Kind.ROLLBACK_FAIL or attempt >= LIMIT:
        return ROLL_BACK_PREVIOUS
    return ROLL_BACK_CURRENT


def default_policy(_run: object, event: PolicyEvent) -> Verdict:
    """Decide for nodes without a policy. Your own policy can call it for events that it does not handle."""
    if event.to is not None and event.kind in _SUCCESSES:
        return proceed(event.to)
    return default_verdict(event.kind, event.attempt)
